"""Arguments and output of victims and neighbours: percentiles, the rate that is kept, rates between reports."""

from __future__ import annotations

import pytest

from bench.core.clock import Line
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.workloads import neighbours
from bench.workloads.neighbours import Done, Load, Work

WORK = Work("tick", 100, 1.0, 3.0)


def lines(*texts: str) -> list[Line]:
    return [Line(float(index), text) for index, text in enumerate(texts)]


def test_arguments_name_rate_times_and_folder() -> None:
    assert Work("file", 50, 1.5, 4.5).arguments("/files") == ("--victim", "file:50:1500:4500:/files")
    assert neighbours.load_arguments("cpu", 50, 0, 2**20) == ("--load", "cpu:50:0:1048576:-")


@pytest.mark.parametrize(("seconds", "count"), [(1.5, 1500), (0.3, 300), (2.0, 2000)])
def test_count_is_that_of_the_payload(seconds: float, count: int) -> None:
    assert Work("tick", 1000, seconds, 1.0).count == count


def test_output_is_parsed_whole() -> None:
    texts = [f"S victim {' '.join(['100'] * 60)}", f"S victim {' '.join(['300'] * 40)}"]
    found = neighbours.done(lines("B victim", "C victim 100", *texts, "E victim"), WORK)
    assert (found.begin_s, found.end_s) == (0.0, 1.0)
    assert found.times_s[0] == pytest.approx(1e-6)
    assert found.times_s[-1] == pytest.approx(3e-6)


def test_unfinished_work_is_a_timeout_and_no_time() -> None:
    with pytest.raises(InvocationTimeout, match="did not finish: 7 of 100 operations were done within 3 s"):
        neighbours.done(lines("B victim", "C victim 7", "S victim 1 1", "E victim"), WORK)


@pytest.mark.parametrize("texts", [(), ("B victim",), ("C victim 100",), ("B victim", "C victim 100", "S victim 1 2")])
def test_incomplete_output_fails(texts: tuple[str, ...]) -> None:
    with pytest.raises(InvocationFailed):
        neighbours.done(lines(*texts), WORK)


def test_percentiles_are_nearest_ranks() -> None:
    found = Done(0, 1, [float(number) for number in range(1, 101)])
    assert (found.percentile(0.5), found.percentile(0.99)) == (50.0, 99.0)
    assert found.percentile(0.999) is None, "no operation would be above it"
    assert Done(0, 1, [0.0] * 999 + [5.0]).percentile(0.999) == 0.0
    assert Done(0, 1, [0.0] * 10).percentile(0.99) is None


def test_victim_that_is_always_in_time_keeps_its_rate() -> None:
    assert Done(0, 1, [0.009] * 100).kept(WORK) == 1.0


def test_stall_costs_the_rate_of_its_slot() -> None:
    times = [0.001] * 100
    times[50:60] = [0.1 - 0.01 * index for index in range(10)]  # nothing ends from 0.5 s to 0.6 s
    assert Done(0, 1, times).kept(WORK) == 0.0


def test_victim_of_half_its_rate_keeps_half_in_the_worst_slot() -> None:
    slow = [0.02 * (index + 1) - 0.01 * index for index in range(100)]
    assert Done(0, 2, slow).kept(WORK) == pytest.approx(0.5, abs=0.11)


def test_few_operations_have_as_many_slots() -> None:
    assert Done(0, 1, [0.001] * 4).kept(Work("file", 4, 1.0, 3.0)) == 1.0


def test_rate_is_interpolated_between_reports() -> None:
    found = Load([0.0, 1.0, 2.0], [0, 100, 300], [0, 0, 0])
    assert found.rate(0.5, 1.5) == pytest.approx(150)
    assert found.runs


def test_reports_without_progress_do_not_run() -> None:
    assert not Load([0.0, 1.0], [5, 5], [0, 0]).runs
    assert not Load([], [], []).runs


def test_neighbour_that_ended_fails_with_its_reason() -> None:
    with pytest.raises(InvocationFailed, match="a worker ended with 71"):
        neighbours.load(lines("M load 1 0", "E load a worker ended with 71"))


def test_reports_are_parsed_with_their_stamps() -> None:
    found = neighbours.load(lines("M load 1 0", "B victim", "M load 5 2"))
    assert (found.at_s, found.counts, found.restarts) == ([0.0, 2.0], [1, 5], [0, 2])
