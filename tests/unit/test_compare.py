"""Verdicts of comparisons: each of the six, what is refused, and what must not become an alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, compare
from bench.compare import wording
from bench.compare.verdicts import Comparison, Verdict
from bench.core.errors import UsageError
from tests.synthetic_pairs import Values, write

RNG = np.random.default_rng(7)


def noisy(median: float, n: int, sd: float = 0.01) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def runs(tmp_path: Path, base: Values, new: Values, **changes: object) -> compare.Compared:
    """Compare two runs of one target, tied by a sentinel that stands still."""
    steady = noisy(0.04, 30, 0.003)
    write(tmp_path, "a", {"host": base}, sentinel=steady, **changes)  # type: ignore[arg-type]
    write(tmp_path, "b", {"host": new}, sentinel=steady, **changes)  # type: ignore[arg-type]
    return between(tmp_path, "a", "b")


def between(folder: Path, base: str, new: str, **options: object) -> compare.Compared:
    sides = [compare.find_side(folder, name) for name in (base, new)]
    force = bool(options.pop("force", False))
    return compare.compare(sides[0], sides[1], compare.Rules(**options), force=force)  # type: ignore[arg-type]


def only(compared: compare.Compared) -> Comparison:
    (found,) = compared.results
    return found


@pytest.mark.parametrize(
    ("factor", "verdict", "code"),
    [(1.2, Verdict.REGRESSED, 1), (0.8, Verdict.IMPROVED, 0), (1.0, Verdict.UNCHANGED, 0)],
)
def test_two_runs_get_the_verdict_of_their_ratio(tmp_path: Path, factor: float, verdict: Verdict, code: int) -> None:
    compared = runs(tmp_path, noisy(0.1, 20), noisy(0.1 * factor, 20))
    found = only(compared)
    assert (found.verdict, compared.exit_code) == (verdict, code)
    assert found.ratio == pytest.approx(factor, rel=0.02)
    assert found.ci
    assert found.ci.low < factor < found.ci.high
    assert "not paired" in wording.notes(compared)[0]


def test_lower_rate_is_a_regression_where_higher_is_better(tmp_path: Path) -> None:
    found = only(runs(tmp_path, noisy(1e6, 20), noisy(8e5, 20), metric="density.launch_per_s"))
    assert found.verdict is Verdict.REGRESSED


def test_two_targets_of_one_run_are_paired_so_that_drift_cancels(tmp_path: Path) -> None:
    drift = np.exp(np.linspace(0, 0.5, 20))
    old = [float(v * d) for v, d in zip(noisy(0.1, 20), drift, strict=True)]
    new = [float(v * d) for v, d in zip(noisy(0.11, 20), drift, strict=True)]
    write(tmp_path, "a", {"runc": old, "crun": new})
    compared = between(tmp_path, "a@runc", "a@crun")
    assert compared.paired
    assert only(compared).verdict is Verdict.SLOWER
    assert only(compared).ratio == pytest.approx(1.1, rel=0.02)


def test_changed_host_makes_the_comparison_invalid(tmp_path: Path) -> None:
    write(tmp_path, "a", {"host": noisy(0.1, 20)}, sentinel=noisy(0.04, 20))
    write(tmp_path, "b", {"host": noisy(0.125, 20)}, sentinel=noisy(0.05, 20))
    compared = between(tmp_path, "a", "b")
    assert only(compared).verdict is Verdict.INVALID
    assert "host changed" in wording.reason(only(compared))
    assert compared.exit_code == 5


def test_small_change_of_the_sentinel_widens_the_interval(tmp_path: Path) -> None:
    old, new = noisy(0.1, 20), noisy(0.107, 20)
    write(tmp_path, "a", {"host": old}, sentinel=noisy(0.04, 20, 0.001))
    write(tmp_path, "b", {"host": new}, sentinel=noisy(0.0424, 20, 0.001))
    found = only(between(tmp_path, "a", "b"))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.ci
    assert found.ci.low < 1.0


def test_missing_sentinel_is_noted(tmp_path: Path) -> None:
    write(tmp_path, "a", {"host": noisy(0.1, 20)})
    write(tmp_path, "b", {"host": noisy(0.1, 20)})
    assert "no sentinel ties them" in wording.notes(between(tmp_path, "a", "b"))[0]


def test_too_few_blocks_are_inconclusive_and_tell_how_many_are_needed(tmp_path: Path) -> None:
    compared = runs(tmp_path, noisy(0.1, 3), noisy(0.2, 3))
    assert only(compared).verdict is Verdict.INCONCLUSIVE
    assert "3 blocks are too few for an interval: 4 on each side are needed" in wording.reason(only(compared))
    assert compared.exit_code == 5


def test_imprecise_comparison_is_inconclusive(tmp_path: Path) -> None:
    found = only(runs(tmp_path, noisy(0.1, 8, 0.2), noisy(0.1, 8, 0.2)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "blocks would tell" in wording.reason(found)
    assert found.mde
    assert found.mde > 0.05


def test_change_below_the_threshold_is_small(tmp_path: Path) -> None:
    write(tmp_path, "a", {"runc": [0.1] * 20, "crun": [0.102 + 0.0005 * (n % 5) for n in range(20)]})
    found = only(between(tmp_path, "a@runc", "a@crun", threshold=0.03))
    assert found.verdict is Verdict.SMALL
    assert found.ci
    assert 1.0 < found.ci.low < 1.03 < found.ci.high + 0.01


def test_change_below_the_metrics_floor_is_unchanged(tmp_path: Path) -> None:
    found = only(runs(tmp_path, noisy(1e-5, 20), noisy(2e-5, 20)))  # 10 µs of a metric whose floor is 50 µs
    assert found.verdict is Verdict.UNCHANGED
    assert "least that counts" in wording.reason(found)


def test_metric_without_noise_needs_one_block(tmp_path: Path) -> None:
    compared = runs(tmp_path, [1000.0], [1001.0], metric="image.bytes")
    assert only(compared).verdict is Verdict.REGRESSED
    assert only(runs(tmp_path / "same", [1000.0], [1000.0], metric="image.bytes")).verdict is Verdict.UNCHANGED


def test_series_with_zeros_are_compared_as_differences(tmp_path: Path) -> None:
    zeros, ones = [0.0] * 12, [float(v) for v in range(1000, 1012)]
    found = only(runs(tmp_path, zeros, ones, metric="network.retransmits"))
    assert (found.ratio, found.ci) == (None, None)
    assert found.verdict is Verdict.REGRESSED


def test_failure_rates_are_compared_and_timeouts_forbid_improved(tmp_path: Path) -> None:
    late: Values = [*noisy(0.05, 10), *[None] * 10]
    compared = runs(tmp_path, noisy(0.1, 20), late)
    verdicts = {one.metric: one for one in compared.results}
    assert verdicts["failures"].verdict is Verdict.REGRESSED
    assert "0 of 20 and 10 of 20 invocations failed" in wording.reason(verdicts["failures"])
    assert verdicts["startup.ready_s"].verdict is Verdict.INCONCLUSIVE  # what is left are the quicker blocks
    assert "more time-outs" in wording.reason(verdicts["startup.ready_s"])


def test_side_that_only_failed_is_compared_by_its_failure_rate(tmp_path: Path) -> None:
    compared = runs(tmp_path, noisy(0.1, 20), [None] * 20)
    assert [one.metric for one in compared.results] == ["failures"]
    assert compared.exit_code == 1


def test_runs_of_other_hosts_or_workloads_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a", {"host": noisy(0.1, 8)})
    write(tmp_path, "b", {"host": noisy(0.1, 8)}, fingerprint="bb", facts={"kernel": "6.2.0", "cpu.model": "one"})
    write(tmp_path, "c", {"host": noisy(0.1, 8)}, payload="q" * 64)
    with pytest.raises(UsageError, match=r"kernel: '6\.1\.0' and '6\.2\.0'.*--force"):
        between(tmp_path, "a", "b")
    with pytest.raises(UsageError, match="payload"):
        between(tmp_path, "a", "c")
    forced = between(tmp_path, "a", "b", force=True)
    assert wording.notes(forced)[0].startswith("FORCED: kernel")


def test_other_version_of_an_engine_is_said(tmp_path: Path) -> None:
    for name, version in (("a", "1.1.5"), ("b", "1.3.6"), ("c", "1.1.5")):
        engines = {"host": {"payload": "p", "version": version, "image": name}}
        write(tmp_path, name, {"host": noisy(0.1, 8)}, engines=engines, engine_epochs={"host": ["version"]})
    assert "the runs differ in the engine of host: version: '1.1.5' and '1.3.6'" in wording.notes(
        between(tmp_path, "a", "b")
    )
    assert not any("engine" in note for note in wording.notes(between(tmp_path, "a", "c")))


def test_runs_may_differ_in_a_factor_and_in_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"kernel": "6.1.0", "cpu.model": "one"}
    write(tmp_path, "a", {"host": noisy(0.1, 12)}, facts=facts)
    write(tmp_path, "b", {"host": noisy(0.1, 12)}, facts={**facts, "kernel": "6.12.0"}, fingerprint="bb")
    write(tmp_path, "c", {"host": noisy(0.1, 12)}, facts={"kernel": "6.12.0", "cpu.model": "two"}, fingerprint="cc")
    where = ["--results", str(tmp_path)]
    assert cli.run(["compare", "a", "b", *where]) == 2
    assert "kernel: '6.1.0' and '6.12.0'; compare runs" in capsys.readouterr().err
    assert cli.run(["compare", "a", "b", "--factor", "kernel", *where]) == 0
    assert "compared: kernel: '6.1.0' and '6.12.0'" in capsys.readouterr().out
    assert cli.run(["compare", "a", "c", "--factor", "kernel", *where]) == 2
    assert "what is compared: cpu.model: 'one' and 'two'; compare" in capsys.readouterr().err
    assert cli.run(["compare", "a", "b", "--factor", "kernal", *where]) == 2
    assert (
        "unknown factor 'kernal', allowed: cpu.model, instrument.scheduling, instrument.stamp, kernel, payload"
        in capsys.readouterr().err
    )


def test_sides_that_make_no_comparison_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", {"runc": noisy(0.1, 8)})
    write(tmp_path, "b", {"crun": noisy(0.1, 8)})
    for base, new, said in (
        ("a", "a", "same as the base"),
        ("a@runc", "b", "both sides or on neither"),
        ("a@ruc", "b@crun", "did you mean 'runc'"),
        ("a", "b", "no series in common"),
    ):
        with pytest.raises(UsageError, match=said):
            between(tmp_path, base, new)


def test_target_may_be_named_by_the_options_that_identify_it(tmp_path: Path) -> None:
    names = ["libvirt:accel=tcg,guest=full", "libvirt:accel=tcg,guest=minimal"]
    write(tmp_path, "a", {name: noisy(0.1, 8) for name in names})
    assert compare.find_side(tmp_path, "a@libvirt:guest=full").target == names[0]
    with pytest.raises(UsageError, match=r"matches libvirt:.* and libvirt:"):
        compare.find_side(tmp_path, "a@libvirt:accel=tcg")


def test_metric_of_one_side_only_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", {"host": noisy(0.1, 8), "runc": noisy(0.1, 8)})
    write(tmp_path, "b", {"host": noisy(0.1, 8)}, metric="startup.stop_s")
    with pytest.raises(UsageError, match=r"only in the base: startup: startup\.ready_s; only in the new: startup"):
        between(tmp_path, "a", "b")


def test_command_prints_json_and_returns_the_verdict(tmp_path: Path) -> None:
    write(tmp_path, "a", {"runc": noisy(0.1, 20), "crun": noisy(0.13, 20)})
    arguments = ["compare", "a@runc", "a@crun", "--results", str(tmp_path)]
    told = CliRunner().invoke(cli.tare, [*arguments, "--json"], standalone_mode=False)
    assert told.return_value == 0  # two products: neither is a regression of the other
    record = json.loads(told.output)
    assert (record["base"], record["new"]) == ("a@runc", "a@crun")
    assert record["results"][0]["verdict"] == "slower"
    assert set(record["results"][0]) >= {"scenario", "target", "params", "metric", "unit", "n", "ratio", "ci_low"}
    shown = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert "▲ slower" in shown.output
    assert "1 series: 1 slower" in shown.output


@pytest.mark.parametrize("text", ["0", "-5%", "200%", "five", ""])
def test_threshold_that_is_no_fraction_is_refused(tmp_path: Path, text: str) -> None:
    from bench.cli.options import fraction  # noqa: PLC0415 - what is tested

    with pytest.raises(UsageError, match="not a fraction"):
        fraction(text)
    assert fraction("5%") == pytest.approx(0.05)
    assert fraction("0.02") == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        (1.0, 2.0, Verdict.REGRESSED),
        (1.0, 0.5, Verdict.REGRESSED),
        (2.0, 1.0, Verdict.IMPROVED),
        (0.5, 1.0, Verdict.IMPROVED),
        (0.8, 1.25, Verdict.UNCHANGED),  # as far from 1 as before
        (1.5, 1.8, Verdict.REGRESSED),
        (0.5, 0.8, Verdict.IMPROVED),
    ],
)
def test_ratio_to_what_was_asked_is_judged_by_its_distance_from_one(
    tmp_path: Path, base: float, new: float, verdict: Verdict
) -> None:
    found = only(runs(tmp_path, noisy(base, 20, 0.003), noisy(new, 20, 0.003), metric="limit.achieved_ratio"))
    assert found.verdict is verdict
    assert found.ratio == pytest.approx(new / base, rel=0.01)  # of the raw values, as for every metric
    assert found.ci
    assert found.ci.low < new / base < found.ci.high


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [(0.02, -0.3, Verdict.REGRESSED), (-0.3, 0.02, Verdict.IMPROVED), (-0.02, -0.3, Verdict.REGRESSED)],
)
def test_remainder_is_judged_by_its_distance_from_zero(
    tmp_path: Path, base: float, new: float, verdict: Verdict
) -> None:
    sides = [[level + 0.001 * (n % 5) for n in range(20)] for level in (base, new)]
    assert only(runs(tmp_path, *sides, metric="memory.unexplained_ratio")).verdict is verdict
