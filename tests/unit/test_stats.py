"""Summaries of whole runs: ratios, counts, order, warnings and the headline, from frames as the store gives them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.benchmarks.startup import words
from bench.core.model import Summary
from bench.display.data import ScenarioData
from bench.display.wording import warnings as words_of_warnings
from bench.display.wording.checks import sentence
from bench.stats import samples
from bench.stats.alarms import check_run
from bench.stats.exact import needed_for, wilson
from bench.stats.findings import Check
from bench.stats.position import position_effect
from bench.stats.samples import of_frames
from bench.stats.series import block_values
from bench.stats.summaries import precision, summarise
from bench.store import MEASUREMENT_COLUMNS, OUTCOME_COLUMNS
from tests.kinds import kind_of

READY = "startup.ready_s"
META = {"targets": ["host", "runc", "docker"], "baseline": "host", "primary": [READY], "params": {}}
TCG = "libvirt:accel=tcg"
KVM = "libvirt:accel=kvm"

Rows = list[dict[str, Any]]


class Run:
    """Builds the two frames of a run, an invocation at a time."""

    def __init__(self) -> None:
        self.measurements: Rows = []
        self.outcomes: Rows = []

    def add(self, target: str, block: int, values: Mapping[str, float | Sequence[float]], **changes: Any) -> Run:
        """Add one invocation; a sequence is its iterations, ``changes`` go to the outcome (``extra`` to params)."""
        extra = changes.pop("extra", {})
        params = changes.pop("params", {})
        common = {
            "run_id": "r",
            "scenario": "startup",
            "target": target,
            "engine": "host" if target in ("null", "sentinel") else target.partition(":")[0],
            "block": block,
            "order": sum(row["block"] == block for row in self.outcomes),
            "invocation": len(self.outcomes),
            "warmup": False,
        } | {name: changes.pop(name) for name in ("scenario", "order", "warmup") if name in changes}
        ended = {
            "status": "ok",
            "reason": "",
            "evidence": {},
            "request_mono_s": 0.0,
            "flags": [],
            "kind": kind_of(target),
        }
        ended |= changes
        self.outcomes.append({**common, **ended, "params": text(params), "wall_s": 0.1, "harness_s": 0.0})
        for metric, numbers in values.items():
            for iteration, value in enumerate([numbers] if isinstance(numbers, (int, float)) else numbers):
                number = {"metric": metric, "value": value, "unit": "s", "iteration": iteration, "at_s": 0.0}
                self.measurements.append({**common, **number, "params": text({**params, **extra})})
        return self

    def series(self, target: str, values: Sequence[float], metric: str = READY, **changes: Any) -> Run:
        """Add one invocation a block."""
        for block, value in enumerate(values):
            self.add(target, block, {metric: value}, **changes)
        return self

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return measurements and outcomes."""
        return (
            pd.DataFrame.from_records(self.measurements, columns=list(MEASUREMENT_COLUMNS)),
            pd.DataFrame.from_records(self.outcomes, columns=list(OUTCOME_COLUMNS)),
        )

    def summaries(self, **meta: Any) -> list[Summary]:
        """Summarise with ``META`` changed by ``meta``."""
        return summarise(of_frames(*self.frames(), {"startup": {**META, **meta}}))

    def one(self, target: str, metric: str = READY, **meta: Any) -> Summary:
        """Return the summary of one series."""
        (found,) = [row for row in self.summaries(**meta) if (row.target, row.metric) == (target, metric)]
        return found

    def check(self, name: str, **meta: Any) -> Check:
        """Return one run-level check."""
        (found,) = [c for c in check_run(of_frames(*self.frames(), {"startup": {**META, **meta}})) if c.name == name]
        return found


def text(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)


def said(summary: Summary) -> tuple[str, ...]:
    """Return the warnings of a summary in words."""
    return tuple(map(words_of_warnings.text, summary.warnings))


def noisy(seed: int, n: int, centre: float, sd: float = 0.02) -> list[float]:
    values: list[float] = (centre * np.exp(np.random.default_rng(seed).normal(0, sd, size=n))).tolist()
    return values


def pair(n: int = 12, factor: float = 3.0) -> Run:
    return Run().series("host", noisy(1, n, 0.5e-3)).series("runc", noisy(2, n, factor * 0.5e-3))


def said_of(rows: Sequence[Summary], meta: Mapping[str, Any]) -> str:
    """Return what the words of startup say of these series."""
    empty = pd.DataFrame()
    data = ScenarioData("startup", meta, "", tuple(rows), variants=(), invoked=(), points=empty, outcomes=empty)
    return words.words(data)


def test_empty_frames_give_nothing() -> None:
    assert Run().summaries() == []
    assert check_run(of_frames(*Run().frames(), {"startup": META})) == []
    assert block_values(Run().frames()[0]).empty


def test_block_values_take_the_median_and_skip_warmups() -> None:
    run = Run().add("host", 0, {READY: 99.0}, warmup=True).add("host", 1, {READY: [1.0, 2.0, 30.0]})
    run.add("host", 2, {READY: 4.0}).add("host", 2, {READY: 6.0})
    blocks = block_values(run.frames()[0])
    assert blocks[["block", "value"]].to_numpy().tolist() == [[1, 2.0], [2, 5.0]]
    assert (run.one("host").n, run.one("host").median, run.one("host").attempts) == (2, 3.5, 3)


def test_summary_uses_successful_invocations_and_counts_all() -> None:
    run = Run().series("host", [1.0, 2.0, 3.0]).add("host", 3, {READY: 99.0}, status="failed")
    run.add("host", 4, {}, status="timeout").add("host", 5, {}, status="skipped")
    summary = run.one("host")
    assert (summary.n, summary.maximum, summary.failures, summary.attempts) == (3, 3.0, 2, 5)
    assert summary.failure_ci == wilson(2, 5)
    assert any("2 of 5 invocations failed, 1 of them by a time limit (40 % [12 %, 77 %])" in w for w in said(summary))


def test_variant_that_always_failed_has_a_summary_without_value() -> None:
    run = pair()
    for block in range(4):
        run.add("docker", block, {}, status="failed", params={"cache": "cold"})
    summary = run.one("docker")
    assert (summary.n, summary.median, summary.ci, summary.ratio) == (0, None, None, None)
    assert (summary.failures, summary.attempts, summary.params, summary.unit) == (4, 4, {"cache": "cold"}, "s")
    assert said(summary) == ("no value: all 4 invocations failed; their reasons are in outcomes.jsonl",)


def test_run_in_which_everything_failed_lists_every_primary_metric() -> None:
    run = Run()
    for target in ("sentinel", "host", "null"):
        run.add(target, 0, {}, status="failed")
    rows = run.summaries(primary=[READY, "startup.cpu_s"])
    expected = [("host", READY), ("host", "startup.cpu_s"), ("null", READY), ("null", "startup.cpu_s")]
    assert [(row.target, row.metric) for row in rows] == [*expected, ("sentinel", "sentinel.work_s")]
    assert "No comparison can be made" in said_of(rows, META)
    assert not run.check("failures").ok


def test_metric_with_further_params_is_counted_by_its_variant() -> None:
    run = Run()
    for block in range(3):
        run.add("host", block, {"memory.pss_bytes": 1.0}, params={"n": 4}, extra={"component": "daemon"})
    run.add("host", 3, {}, params={"n": 4}, status="failed").add("host", 3, {}, params={"n": 8}, status="failed")
    first, second = run.summaries(primary=["memory.pss_bytes"])
    assert (first.params, first.failures, first.attempts) == ({"n": 4, "component": "daemon"}, 1, 4)
    assert (second.params, second.failures, second.attempts) == ({"n": 8}, 1, 1)


def test_ratio_is_paired_within_blocks() -> None:
    drift = np.exp(np.linspace(0, 2, 12))  # the host gets seven times slower: blocks share it, ratios do not see it
    run = (
        Run().series("host", (1e-3 * drift).tolist()).series("runc", (3e-3 * drift * noisy(3, 12, 1.0, 1e-3)).tolist())
    )
    summary = run.one("runc")
    assert summary.ratio == pytest.approx(3.0, rel=1e-2)
    assert summary.ratio is not None
    assert summary.ratio_ci is not None
    assert summary.ratio_ci.low <= summary.ratio <= summary.ratio_ci.high < 3.01
    assert summary.ratio_n == 12


def test_baseline_has_ratio_one_and_sentinel_none() -> None:
    run = pair().series("null", noisy(3, 12, 0.5e-3)).series("sentinel", noisy(4, 12, 0.01), "sentinel.work_s")
    host, null, sentinel = run.one("host"), run.one("null"), run.one("sentinel", "sentinel.work_s")
    assert (host.ratio, host.ratio_ci, host.ratio_n) == (1.0, None, 12)
    assert null.ratio == pytest.approx(1.0, abs=0.05)
    assert null.ratio_ci is not None
    assert (sentinel.ratio, said(sentinel)) == (None, ())


def test_ratio_uses_common_blocks_and_equal_params_only() -> None:
    run = (
        Run().series("host", noisy(1, 8, 1.0), params={"cache": "warm"}).series("runc", [2.0], params={"cache": "cold"})
    )
    for block in range(3, 12):
        run.add("runc", block, {READY: 2.0 + block / 100}, params={"cache": "warm"})
    warm, cold = (row for row in reversed([row for row in run.summaries() if row.target == "runc"]))
    assert (warm.ratio_n, warm.ratio_ci, warm.n) == (5, None, 9)
    assert said(warm) == ("5 blocks are shared with host: too few for an interval of the ratio, 6 are needed",)
    assert (cold.ratio, cold.ratio_n) == (None, 0)


def test_ratio_is_refused_when_a_value_is_not_positive() -> None:
    run = pair().series("docker", [0.0, *noisy(3, 11, 1.0)])
    summary = run.one("docker")
    assert (summary.ratio, summary.ratio_ci, summary.minimum) == (None, None, 0.0)
    assert "no ratio to host: a value is zero or negative; compare the medians instead" in said(summary)
    assert pair().series("docker", [-1.0] * 12).one("docker").median == -1.0


def test_ratio_is_absent_without_baseline_or_common_block() -> None:
    run = Run().series("runc", [1.0, 2.0]).add("host", 7, {READY: 1.0})
    assert "no ratio to host: no block has both; run more blocks, or compare RUN@TARGET with RUN@TARGET" in said(
        run.one("runc")
    )
    assert Run().series("runc", [1.0, 2.0]).one("runc").ratio is None
    (unknown,) = summarise(of_frames(*Run().series("runc", [1.0, 2.0]).frames(), {}))
    assert (unknown.n, unknown.ratio) == (2, None)


def test_single_block_has_a_value_and_no_interval() -> None:
    summary = Run().series("host", [1.0]).one("host")
    assert (summary.n, summary.median, summary.ci) == (1, 1.0, None)
    assert said(summary) == ("1 block is too few for an interval at 95 %: use --blocks 6 or more",)
    assert precision(summary) is None


def test_precision_is_the_half_width_relative_to_the_median() -> None:
    summary = Run().series("host", [1.0, 2.0, 3.0, 5.0, 6.0, 9.0]).one("host")
    assert precision(summary) == pytest.approx(4.0 / 4.0)
    assert precision(Run().series("host", [0.0] * 6).one("host")) is None


def test_nan_and_infinity_are_ignored() -> None:
    run = Run().series("host", [1.0, math.nan, math.inf, 3.0]).series("runc", [math.nan] * 4)
    assert (run.one("host").n, run.one("host").median, run.one("host").attempts) == (2, 2.0, 4)
    assert run.one("runc").n == 0
    assert said(run.one("runc")) == ("no value: 4 of 4 invocations ended well but gave none",)
    assert "nan" not in repr(run.summaries())


def test_summaries_are_ordered_by_scenario_target_metric_params() -> None:
    run = Run()
    values = {"startup.cpu_s": 1.0, READY: 1.0, "startup.created_s": 1.0}
    for target in ("sentinel", "null", "aaa", "docker", "host"):
        run.add(target, 0, values, params={"n": 10}).add(target, 0, {READY: 1.0}, params={"n": 2}, scenario="second")
        run.add(target, 0, {READY: 1.0}, params={"n": 2})
    rows = summarise(
        of_frames(
            *run.frames(), {"second": META, "startup": {**META, "targets": [{"text": "host"}, {"text": "docker"}]}}
        )
    )
    names = [(row.scenario, row.target, row.metric, row.params["n"]) for row in rows]
    assert [name[1] for name in names[:5]] == ["host", "docker", "aaa", "null", "sentinel"]
    assert [name[0] for name in names] == ["second"] * 5 + ["startup"] * 20
    assert names[5:9] == [
        ("startup", "host", READY, 2),
        ("startup", "host", READY, 10),
        ("startup", "host", "startup.cpu_s", 10),
        ("startup", "host", "startup.created_s", 10),
    ]
    assert {row.ratio for row in rows if row.target == "sentinel"} == {None}
    assert [name[1] for name in names[5::4]] == ["host", "docker", "aaa", "null", "sentinel"]


def test_emulated_target_is_warned_of_and_never_compared_with_kvm() -> None:
    run = pair().series(TCG, noisy(5, 12, 2.0)).series(KVM, noisy(6, 12, 0.2))
    emulated = run.one(TCG)
    assert emulated.ratio is not None
    assert said(emulated) == (
        f"{TCG} is emulated (TCG): not comparable with KVM numbers; for those run on a host where KVM works",
    )
    assert said(run.one(KVM)) == ()
    refused = run.one(TCG, baseline=KVM)
    assert (refused.ratio, refused.ratio_ci) == (None, None)
    assert f"no ratio to {KVM}: tcg against kvm; choose a baseline with the same accelerator" in said(refused)
    assert any("emulated" in warning for warning in said(run.one("runc", baseline=TCG)))


def test_series_without_variance_is_warned_of_from_three_values() -> None:
    run = Run().series("host", [0.25] * 6)
    assert any("all 6 values are exactly 250 ms" in warning for warning in said(run.one("host")))
    assert not any("exactly" in warning for warning in said(Run().series("host", [0.25] * 2).one("host")))


@pytest.mark.parametrize(("factor", "alarm"), [(0.9, True), (0.98, False), (1.5, False)])
def test_target_faster_than_the_host_is_warned_of(factor: float, alarm: bool) -> None:
    warnings = said(pair(20, factor).one("runc"))
    assert any("isolation cannot make work faster" in warning for warning in warnings) == alarm
    assert not said(pair(20, factor).one("runc", baseline="docker"))


def test_target_faster_within_the_noise_is_not_warned_of() -> None:
    run = Run().series("host", [1.0] * 7).series("runc", [0.7, 0.8, 0.9, 0.95, 0.96, 1.3, 1.4])
    summary = run.one("runc")
    assert summary.ratio is not None
    assert summary.ratio < 0.97
    assert said(summary) == ()


def test_rate_above_that_of_the_host_is_warned_of() -> None:
    run = Run().series("host", noisy(1, 12, 100.0), "x.rate").series("runc", noisy(2, 12, 120.0), "x.rate")
    measurements, outcomes = run.frames()
    rows = summarise(of_frames(measurements.assign(unit="1/s"), outcomes, {"startup": META}))
    assert "faster than host" in said(rows[1])[0]


@settings(deadline=None, max_examples=50)  # pandas is slow on first use
@given(st.lists(st.tuples(*[st.floats(min_value=1e-6, max_value=1e6)] * 2), min_size=1, max_size=15))
def test_swapping_target_and_baseline_inverts_the_ratio(values: list[tuple[float, float]]) -> None:
    run = Run().series("host", [a for a, _ in values]).series("runc", [b for _, b in values])
    there, back = run.one("runc"), run.one("host", baseline="runc")
    assert there.ratio is not None
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert (there.ratio_ci is None) == (back.ratio_ci is None) == (len(values) < 6)
    if there.ratio_ci and back.ratio_ci:
        assert (back.ratio_ci.low, back.ratio_ci.high) == pytest.approx(
            (1 / there.ratio_ci.high, 1 / there.ratio_ci.low)
        )


def test_headline_names_targets_with_their_ratios() -> None:
    run = (
        pair()
        .series("sandbox", noisy(3, 12, 1.6e-3))
        .series("docker", noisy(4, 12, 0.2))
        .series(TCG, noisy(5, 12, 2.0))
    )
    said = said_of(run.summaries(), META)
    assert said.startswith("On this host a bare process is ready after 504 µs [500, 506]. ")
    assert "Namespaces alone make that 3.2\N{MULTIPLICATION SIGN}" in said
    assert "Containers are ready in 1.5" in said
    assert "(runc, 3.0\N{MULTIPLICATION SIGN}) to 200 ms [" in said
    assert "(docker, 400\N{MULTIPLICATION SIGN})" in said
    assert f"({TCG}, 4000\N{MULTIPLICATION SIGN})" in said
    assert "emulated (TCG), so this says nothing about KVM" in said
    assert said.count(". ") <= 3


def test_headline_of_a_run_in_a_guest_says_this_guest() -> None:
    said = said_of(pair().summaries(), {**META, "inside": "libvirt:guest=full"})
    assert said.startswith("On this guest a bare process is ready after")


def test_headline_makes_no_claim_without_an_interval() -> None:
    run = pair().series("docker", [0.2] * 4).add("crun", 0, {}, status="failed").add("sandbox", 3, {READY: 0.0})
    said = said_of(run.summaries(), META)
    assert "docker (4 blocks are too few for an interval)" in said
    assert "crun (1 of 1 invocations failed)" in said
    assert "sandbox (no ratio)" in said
    few = said_of(pair(3).summaries(), META)
    assert few.endswith("in 3 blocks: too few for an interval, so nothing is compared.")
    assert "runc" not in few
    assert "baseline (none)" in said_of([], {})


def test_headline_gives_many_containers_as_a_range() -> None:
    run = pair().series("null", noisy(9, 3, 0.5e-3))  # a control is not told of, with or without an interval
    for place, name in enumerate(["crun", "runsc", "containerd", "docker"]):
        run.series(name, noisy(place, 12, 0.01 * (place + 1)))
    said = said_of(run.summaries(), META)
    assert "Containers are ready in 1.50 ms [" in said
    assert "(runc, 3.0\N{MULTIPLICATION SIGN}) to 39." in said
    assert "null" not in said


def test_null_control_that_differs_raises_a_doubt() -> None:
    same = pair(20).series("null", noisy(8, 20, 0.5e-3)).check("null")
    assert same.ok
    assert sentence(same).startswith(f"A/A: host and its repetition agree: {READY} ")
    apart = pair(20).series("null", noisy(7, 20, 0.6e-3)).check("null")
    assert not apart.ok
    assert "quieten the host" in sentence(apart)
    few = pair(4).series("null", noisy(7, 4, 0.6e-3)).check("null")
    assert few.ok
    assert sentence(few) == "A/A: not decided: 4 blocks have both null and host, 6 are needed."


def test_null_control_is_corrected_for_the_number_of_metrics() -> None:
    run = Run()
    metrics = [f"startup.{name}_s" for name in ("ready", "created", "started", "cpu")]
    for block in range(7):  # seven blocks that all point one way are significant once, not four times
        run.add("host", block, dict.fromkeys(metrics, 1.0)).add(
            "null", block, dict.fromkeys(metrics, 1.1 + block / 100)
        )
    assert not run.check("null", primary=metrics[:1]).ok
    assert sentence(run.check("null", primary=metrics)).endswith(
        "8 are needed.".replace("8", str(needed_for(1 - 0.05 / 4)))
    )


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.2, False), (0.8, False)])
@pytest.mark.parametrize("n", [20, 700])
def test_sentinel_that_drifts_raises_a_doubt(factor: float, ok: bool, n: int) -> None:
    values = np.linspace(1.0, factor, n) * noisy(8, n, 0.01, 0.005)
    check = Run().series("sentinel", values.tolist(), "sentinel.work_s").check("sentinel")
    assert check.ok == ok
    assert f"over {n} blocks" in sentence(check)
    assert factor == 1.0 or (" less time" in sentence(check)) == (factor == 0.8)


def test_sentinel_with_few_blocks_is_undecided() -> None:
    check = Run().series("sentinel", [1.0, 2.0, 3.0, 4.0], "sentinel.work_s").check("sentinel")
    assert (check.ok, sentence(check)) == (True, "Sentinel: not decided: 4 blocks have it, 5 are needed.")


def placed(seed: int, shift: float, sd: float = 0.02) -> Run:
    rng, run = np.random.default_rng(seed), Run()
    for block in range(20):
        for order, target in enumerate(rng.permutation(["host", "runc", "docker", "null", "crun"])):
            run.add(str(target), block, {READY: math.exp(shift * order / 4 + rng.normal(0, sd) + block / 10)})
    return run


def test_position_effect_raises_a_doubt_and_a_warning() -> None:
    assert placed(1, 0.0).check("position").ok
    doubtful = placed(1, 0.1).check("position")
    assert not doubtful.ok
    assert f"{READY} is 9.8 %" in sentence(doubtful)
    assert " higher in the last place of a block than in the first (p < 0.001)" in sentence(doubtful)
    run = placed(1, 0.1)
    assert [bool(row.warnings) for row in run.summaries()] == [True, False, False, False, False]


def test_position_effect_too_small_to_count_raises_no_doubt() -> None:
    run = placed(1, 0.01, 0.001)
    effect = position_effect(block_values(run.frames()[0]), "startup", READY)
    assert effect is not None
    assert effect.p < 1e-6
    assert run.check("position").ok


def test_position_check_rarely_raises_false_alarms() -> None:
    effects = [position_effect(block_values(placed(seed, 0.0).frames()[0]), "startup", READY) for seed in range(60)]
    assert sum(effect is not None and effect.p < 0.05 for effect in effects) <= 8


def test_position_effect_is_absent_without_repetition() -> None:
    frame = block_values(Run().series("host", [1.0, 2.0]).frames()[0])
    assert position_effect(frame, "startup", READY) is None
    alone = block_values(Run().series("host", [1.0, 2.0, 3.0]).frames()[0])
    assert position_effect(alone, "startup", READY) is None


def test_flags_and_failures_are_given_as_shares_with_reasons() -> None:
    run = pair(20)
    assert run.check("flags").ok
    assert sentence(run.check("failures")) == "Failures: none of 40 invocations failed."
    run.add("docker", 0, {READY: 1.0}, flags=["residue: 1 mount"]).add(
        "docker", 1, {}, status="failed", reason="no daemon."
    )
    assert sentence(run.check("flags")) == "Flags: something was left behind in 1 of 42 invocations."
    assert "(docker 1); the first reason: no daemon; all reasons" in sentence(run.check("failures"))
    for block in range(5):
        run.add("docker", block, {READY: 1.0}, flags=["clipped: 3", "residue: 1"])
    assert not run.check("flags").ok


def test_held_groups_are_reported_and_raise_no_doubt() -> None:
    run = pair(20)
    for block in range(20):
        run.add("docker", block, {READY: 1.0}, flags=["held: 1 dying cgroups"])
    assert run.check("flags").ok
    assert (
        sentence(run.check("flags")) == "Flags: the kernel still held removed control groups in 20 of 60 invocations."
    )


def test_summaries_and_checks_of_a_run_compute_its_block_values_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[pd.DataFrame] = []

    def counted(frame: pd.DataFrame) -> pd.DataFrame:
        calls.append(frame)
        return block_values(frame)

    monkeypatch.setattr(samples, "block_values", counted)
    run = Run().series("host", [1.0, 1.1, 1.2, 1.3]).series("runc", [2.0, 2.1, 2.2, 2.3])
    own = of_frames(*run.frames(), {"startup": META})
    assert summarise(own)
    assert check_run(own)
    assert len(calls) == 1
