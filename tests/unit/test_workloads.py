"""Parsers of programs' output, with captured and with broken output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.invocation import life
from bench.workloads import payload, spaces, sysbench

DATA = Path(__file__).parents[1] / "data"


def said(*texts: str) -> list[Line]:
    """Return lines that are stamped 0.1 s apart."""
    return [Line(number / 10, text) for number, text in enumerate(texts)]


def program(test: str, status: int = 0) -> list[Line]:
    """Return a captured run as the payload forwards it, with the report 2 s after "Threads started!"."""
    text = (DATA / "sysbench" / f"{test}.txt").read_text(encoding="utf-8")
    texts = ["B run", *(f"O {line}" for line in text.splitlines() if line), f"C run {status}"]
    begin = next((index for index, line in enumerate(texts) if "Threads started" in line), len(texts))
    return [Line(1.0 if index <= begin else 3.0, line) for index, line in enumerate(texts)]


def without(lines: Sequence[Line], part: str) -> list[Line]:
    return [line for line in lines if part not in line.text]


def test_loop_gives_its_count_and_the_hosts_time() -> None:
    lines = said("B read", "C read 640", "A", "B getpid", "C getpid 128")
    found = payload.loops(lines, ("getpid", "read"))
    assert {name: turns.count for name, turns in found.items()} == {"getpid": 128, "read": 640}
    assert [turns.seconds for turns in found.values()] == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    "texts",
    [(), ("B read",), ("C read 64",), ("B read", "C read 0"), ("B read", "C read x"), ("C read 64", "B read")],
)
def test_loop_without_a_count_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(InvocationFailed, match="the loop 'read' gave no count"):
        payload.loops(said(*texts), ("read",))


def test_loop_that_took_no_time_on_the_host_is_refused() -> None:
    lines = [replace(line, at_s=1.0) for line in said("B read", "C read 64")]
    with pytest.raises(InvocationFailed, match="the loop 'read' is too short for this host: its begin and its end"):
        payload.loops(lines, ("read",))


def test_look_reports_unreadable_values_as_unreadable() -> None:
    lines = said("S processes -1", "S ipc_segments 0", "S uid_map          0    0 42", "S cgroup", "E look")
    assert payload.look(lines) == {
        "processes": "unreadable",
        "ipc_segments": "0",
        "uid_map": "0 0 42",
        "cgroup": "empty",
    }
    with pytest.raises(InvocationFailed, match="said nothing of what it sees, only: E look"):
        payload.look(said("E look"))


@pytest.mark.parametrize(("test", "count"), [("cpu", "cpu"), ("memory", "memory")])
def test_sysbench_gives_its_count_and_the_hosts_time(test: str, count: str) -> None:
    text = (DATA / "sysbench" / f"{count}.txt").read_text(encoding="utf-8")
    counted = int(text.partition("total number of events:")[2].split()[0])
    [run] = sysbench.runs(program(test))
    assert sysbench.events(run, test) == payload.Turns(counted, 2.0)
    assert sysbench.version(run) == "sysbench 1.0.20"


def test_loop_output_is_not_a_program_run() -> None:
    lines = [*said("B getpid", "C getpid 5"), *program("cpu"), *program("memory")]
    first, second = sysbench.runs(lines)
    assert sysbench.events(first, "cpu").count != sysbench.events(second, "memory").count
    assert sysbench.block_bytes(second) == 1024
    assert sysbench.runs(said("B getpid", "C getpid 5")) == []


def test_failed_sysbench_is_quoted() -> None:
    [failed] = sysbench.runs(program("broken", status=1))
    with pytest.raises(
        InvocationFailed, match=r"sysbench memory did not end with status 0.*Failed to allocate buffer! \| run 1"
    ):
        sysbench.events(failed, "memory")
    with pytest.raises(InvocationFailed, match="did not say its block size"):
        sysbench.block_bytes(failed)


@pytest.mark.parametrize("part", ["Threads started", "CPU speed", "total number of events"])
def test_incomplete_sysbench_report_is_refused(part: str) -> None:
    with pytest.raises(InvocationFailed, match="sysbench cpu did not say each of: Threads started!, CPU speed:, total"):
        sysbench.events(without(program("cpu"), part), "cpu")


def test_sysbench_without_an_end_is_refused() -> None:
    with pytest.raises(InvocationFailed, match="did not end with status 0"):
        sysbench.events(program("cpu")[:-1], "cpu")
    with pytest.raises(InvocationFailed, match="it said: nothing"):
        sysbench.events([], "cpu")


def test_sysbench_and_loop_arguments_fit_a_kernel_command_line() -> None:
    words = [*payload.loop_arguments(payload.LOOPS, 500), "--sleep"]
    words += [word for test in sysbench.TESTS for word in sysbench.arguments(test, 1, 2)]
    assert len(["--events", "tty:/dev/ttyS1", *words]) < 32


def test_namespace_costs_are_medians_and_refused_kinds_have_none() -> None:
    found = spaces.costs((DATA / "spaces/cost.txt").read_text(encoding="ascii"))
    assert set(found.create_s) == set(found.destroy_s) == set(spaces.KINDS)
    assert found.create_s["net"] == pytest.approx(400644e-9)
    assert found.destroy_s["none"] == pytest.approx(31117e-9)
    assert not found.refused
    few = spaces.costs((DATA / "spaces/unprivileged.txt").read_text(encoding="ascii"))
    assert set(few.create_s) == {"none", "user", "all"}
    assert few.refused == dict.fromkeys(("mnt", "pid", "uts", "net", "ipc", "cgroup", "time"), "EPERM (3)")
    assert list(few.refused) == ["mnt", "pid", "uts", "net", "ipc", "cgroup", "time"]


def test_kind_refused_once_has_no_cost() -> None:
    text = (DATA / "spaces/cost.txt").read_text(encoding="ascii") + "refused net 28\n"
    found = spaces.costs(text)
    assert "net" not in found.create_s
    assert found.refused == {"net": "ENOSPC (1)"}


def test_namespace_rate_is_count_over_time() -> None:
    found = spaces.rate((DATA / "spaces/rate.txt").read_text(encoding="ascii"))
    assert found.per_s == pytest.approx(100 / 24903667e-9)
    assert found.drain_s == pytest.approx(78649487e-9)
    assert (found.refused, found.undrained) == ("", "")
    assert spaces.rate("refused net 1\n") == spaces.Rate(refused="EPERM (1)")
    undone = spaces.rate("rate net 10 5000000\nundrained net 62\n")
    assert (undone.per_s, undone.drain_s, undone.undrained) == (2000, None, "ETIME (1)")


@pytest.mark.parametrize(
    "text",
    ["", "create net", "create net x", "create net -5", "create disk 5", "rate net 5 5", "create net 5 5", "noise"],
)
def test_incomplete_costs_are_refused(text: str) -> None:
    with pytest.raises(
        InvocationFailed, match=r"tare-spaces (said nothing of: none, mnt|printed '.*'; a line of create)"
    ):
        spaces.costs(text)


@pytest.mark.parametrize("text", ["", "rate net 5", "rate net 5 0", "drain net 5", "create net 5"])
def test_incomplete_rate_is_refused(text: str) -> None:
    with pytest.raises(InvocationFailed, match=r"tare-spaces (gave no rate|printed ')"):
        spaces.rate(text)


def test_kinds_of_all_are_parsed() -> None:
    assert spaces.everything("all mnt\nall user\n") == ("mnt", "user")
    with pytest.raises(InvocationFailed, match="printed 'all'"):
        spaces.everything("all\n")


def test_output_of_each_program_run_is_kept_separately() -> None:
    lines = said(
        "I", "R", "B run", "O {", 'O  "a": 1', "O }", "C run 0", "B getpid", "C getpid 5", "B run", "O cut off"
    )
    assert list(life.outputs(lines)) == [("run", '{\n "a": 1\n}\n'), ("run", "cut off\n")]
    assert "".join(text for _, text in life.outputs(program("cpu"))).startswith("sysbench ")
    assert list(life.outputs(said("I", "R"))) == []
