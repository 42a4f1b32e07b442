"""What a run says about a claim: each kind, each decision, and that nothing is supported by default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import claims
from bench.claims import Decision, Kind, Reason, Verdict, wording
from bench.claims.model import Arm, Band, Claim, Relation, Scale
from bench.core.model import Interval, Status
from bench.stats.exact import median_ci
from bench.stats.shift import median_p
from tests.claim_runs import Row, claim, write

VM = "libvirt:guest=minimal"
EMULATED = "libvirt:accel=tcg,guest=minimal"
KVM = "libvirt:accel=kvm,guest=minimal"
ABOVE_1 = Band(above=1)


def around(median: float, n: int = 8) -> list[float]:
    """Return values within 1 % of a median."""
    return [median * (1 + 0.002 * place) for place in range(-(n // 2), n - n // 2)]


def judged(folder: Path, one: Claim, *rows: Row, **more: object) -> Verdict:
    (verdict,) = claims.judge(write(folder, rows, **more), [one])  # type: ignore[arg-type]
    return verdict


ORDER = claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=ABOVE_1)


@pytest.mark.parametrize(
    ("docker", "runc", "decision", "reason"),
    [
        (around(0.2), around(0.1), Decision.SUPPORTED, Reason.INSIDE),
        (around(0.1), around(0.2), Decision.CONTRADICTED, Reason.OUTSIDE),
        ([0.1, 0.3] * 4, [0.2] * 8, Decision.INCONCLUSIVE, Reason.ACROSS),
        (around(0.2, 5), around(0.1, 5), Decision.INCONCLUSIVE, Reason.TOO_FEW_BLOCKS),
        ([0.0] * 8, around(0.1), Decision.INCONCLUSIVE, Reason.NOT_POSITIVE),
    ],
)
def test_order_is_decided_by_the_whole_interval(
    tmp_path: Path, docker: Sequence[float], runc: Sequence[float], decision: Decision, reason: Reason
) -> None:
    found = judged(tmp_path, ORDER, Row("docker", docker), Row("runc", runc))
    assert (found.decision, found.reason) == (decision, reason)


def test_order_reversed_in_the_file_is_decided_the_other_way(tmp_path: Path) -> None:
    below = claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=Band(below=1))
    assert (
        judged(tmp_path, below, Row("docker", around(0.2)), Row("runc", around(0.1))).decision is Decision.CONTRADICTED
    )


@pytest.mark.parametrize(
    ("times", "decision"),
    [(2, Decision.CONTRADICTED), (5, Decision.SUPPORTED), (40, Decision.CONTRADICTED), (4.01, Decision.INCONCLUSIVE)],
)
def test_ratio_is_decided_by_both_ends_of_its_band(tmp_path: Path, times: float, decision: Decision) -> None:
    band = claim(Kind.RATIO, Arm("docker"), Arm("runc"), band=Band(4, 20))
    runc = [0.1, 0.101, 0.102, 0.1, 0.101, 0.099, 0.1, 0.1]
    found = judged(tmp_path, band, Row("docker", [times * 0.1] * 8), Row("runc", runc))
    assert found.decision is decision


def test_ratio_is_paired_block_by_block(tmp_path: Path) -> None:
    drift = [0.1 * 1.5**block for block in range(8)]
    found = judged(tmp_path, ORDER, Row("docker", [1.1 * one for one in drift]), Row("runc", drift))
    assert found.decision is Decision.SUPPORTED
    assert found.leading.estimate == pytest.approx(1.1)


def test_difference_is_in_the_metrics_unit(tmp_path: Path) -> None:
    more = claim(
        Kind.RATIO,
        *(Arm("runsc"), Arm("runc")),
        scale=Scale.DIFFERENCE,
        scenario="memory",
        metric="memory.slope_bytes",
        band=Band(10e6, 40e6),
    )
    rows = [
        Row("runsc", around(25e6), "memory.slope_bytes", "memory"),
        Row("runc", around(4e5), "memory.slope_bytes", "memory"),
    ]
    found = judged(tmp_path, more, *rows)
    assert found.decision is Decision.SUPPORTED
    assert found.leading.unit == "bytes"
    assert "runsc less runc: 23" in wording.evidence(found)


@pytest.mark.parametrize(
    ("seconds", "decision"),
    [(20.0, Decision.CONTRADICTED), (90.0, Decision.SUPPORTED), (60.0, Decision.INCONCLUSIVE)],
)
def test_threshold_is_decided_by_the_interval_of_the_median(tmp_path: Path, seconds: float, decision: Decision) -> None:
    minutes = claim(Kind.THRESHOLD, Arm("docker"), band=Band(above=60))
    assert judged(tmp_path, minutes, Row("docker", around(seconds))).decision is decision


@pytest.mark.parametrize(
    ("ratio", "decision"),
    [
        (1.0, Decision.SUPPORTED),
        (1.2, Decision.CONTRADICTED),
        (0.7, Decision.CONTRADICTED),
        (1.05, Decision.INCONCLUSIVE),
    ],
)
def test_equality_is_a_band_around_1(tmp_path: Path, ratio: float, decision: Decision) -> None:
    same = claim(Kind.EQUALITY, Arm("docker"), Arm("host"), band=Band(0.95, 1.05))
    assert judged(tmp_path, same, Row("docker", around(0.1 * ratio)), Row("host", [0.1] * 8)).decision is decision


LOST = claim(Kind.FACT, Arm("docker", {"load": "flat"}), scenario="logging", metric="logging.lost_lines", wanted="0")


@pytest.mark.parametrize(
    ("lost", "decision"),
    [([0, 0], Decision.SUPPORTED), ([3, 3], Decision.CONTRADICTED), ([0] * 19 + [1], Decision.CONTRADICTED)],
)
def test_fact_is_about_every_block(tmp_path: Path, lost: Sequence[float], decision: Decision) -> None:
    row = Row("docker", lost, "logging.lost_lines", "logging", {"load": "flat"})
    assert judged(tmp_path, LOST, row).decision is decision


@pytest.mark.parametrize(
    ("noted", "relation", "decision"),
    [
        ("yes", Relation.EQUALS, Decision.SUPPORTED),
        ("no", Relation.EQUALS, Decision.CONTRADICTED),
        ("yes", Relation.DIFFERS, Decision.CONTRADICTED),
        ("no", Relation.DIFFERS, Decision.SUPPORTED),
        ("no yes", Relation.HAS, Decision.SUPPORTED),
        ("yess", Relation.HAS, Decision.CONTRADICTED),
    ],
)
def test_fact_may_be_about_a_note(tmp_path: Path, noted: str, relation: Relation, decision: Decision) -> None:
    kept = claim(Kind.FACT, Arm("docker"), metric="", note="kept", wanted="yes", relation=relation)
    found = judged(tmp_path, kept, Row("docker", around(0.1), notes={"kept": noted}))
    assert found.decision is decision
    assert found.leading.values == (noted,)


def test_exact_number_needs_no_interval(tmp_path: Path) -> None:
    larger = claim(Kind.ORDER, Arm(VM), Arm("docker"), scenario="size", metric="image.bytes", band=ABOVE_1)
    rows = [Row(EMULATED, [15e6], "image.bytes", "size"), Row("docker", [1e6], "image.bytes", "size")]
    found = judged(tmp_path, larger, *rows)
    assert (found.decision, found.leading.exact, found.leading.p) == (Decision.SUPPORTED, True, None)


def test_emulated_machine_decides_nothing_but_exact_numbers(tmp_path: Path) -> None:
    slower = claim(Kind.ORDER, Arm(VM), Arm("docker"), band=ABOVE_1, kvm=True)
    found = judged(tmp_path, slower, Row(EMULATED, around(20)), Row("docker", around(0.1)))
    assert (found.decision, found.reason) == (Decision.NOT_APPLICABLE, Reason.EMULATED)
    assert "KVM" in wording.why(found)
    assert (
        judged(tmp_path / "k", slower, Row(KVM, around(20)), Row("docker", around(0.1))).decision is Decision.SUPPORTED
    )


def test_run_inside_an_emulated_machine_decides_no_times(tmp_path: Path) -> None:
    rows = Row("docker", around(0.2)), Row("runc", around(0.1))
    found = judged(tmp_path, ORDER, *rows, inside="libvirt:accel=tcg,guest=full,machine=q35")
    assert found.decision is Decision.NOT_APPLICABLE


def test_claim_about_a_newer_kernel_does_not_apply(tmp_path: Path) -> None:
    rows = Row("docker", around(0.2)), Row("runc", around(0.1))
    newer = claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=ABOVE_1, kernel="6.10")
    assert judged(tmp_path, newer, *rows).reason is Reason.OLD_KERNEL
    older = claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=ABOVE_1, kernel="5.11")
    assert judged(tmp_path / "o", older, *rows).decision is Decision.SUPPORTED


def test_unavailable_target_is_not_applicable_with_the_runs_reason(tmp_path: Path) -> None:
    gone = {"scenario": "startup", "target": "docker", "reason": "dockerd is not installed", "remedy": "install it"}
    found = judged(tmp_path, ORDER, Row("runc", around(0.1)), skipped=[gone])
    assert (found.decision, found.reason) == (Decision.NOT_APPLICABLE, Reason.UNAVAILABLE)
    assert "dockerd is not installed (install it)" in wording.why(found)


def test_skipped_invocations_are_not_applicable_and_failed_ones_not_measured(tmp_path: Path) -> None:
    no_swap = Row("docker", status=Status.SKIPPED, reason="this host has no swap", blocks=6)
    found = judged(tmp_path, ORDER, no_swap, Row("runc", around(0.1)))
    assert (found.decision, found.reason) == (Decision.NOT_APPLICABLE, Reason.SKIPPED)
    assert "this host has no swap" in wording.why(found)
    broken = Row("docker", status=Status.FAILED, reason="the daemon answered 500", blocks=6)
    found = judged(tmp_path / "b", ORDER, broken, Row("runc", around(0.1)))
    assert (found.decision, found.reason) == (Decision.NOT_MEASURED, Reason.ALL_FAILED)
    assert "the daemon answered 500" in wording.why(found)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (claim(Kind.THRESHOLD, Arm("docker"), scenario="pull", metric="pull.pull_s", band=ABOVE_1), Reason.NO_SCENARIO),
        (claim(Kind.ORDER, Arm("crun"), Arm("runc"), band=ABOVE_1), Reason.NO_TARGET),
        (claim(Kind.ORDER, Arm("docker:network=none"), Arm("runc"), band=ABOVE_1), Reason.NO_TARGET),
        (claim(Kind.ORDER, Arm("docker", {"cache": "cold"}), Arm("runc"), band=ABOVE_1), Reason.NO_SERIES),
        (claim(Kind.THRESHOLD, Arm("docker"), metric="startup.stop_s", band=ABOVE_1), Reason.NO_SERIES),
        (claim(Kind.FACT, Arm("docker"), metric="", note="kept", wanted="yes"), Reason.NO_SERIES),
    ],
)
def test_what_a_run_lacks_is_not_measured_and_names_the_command(tmp_path: Path, one: Claim, reason: Reason) -> None:
    rows = Row("docker", around(0.2), in_force={"cache": "warm"}), Row("runc", around(0.1), in_force={"cache": "warm"})
    found = judged(tmp_path, one, *rows)
    assert (found.decision, found.reason) == (Decision.NOT_MEASURED, reason)
    assert found.command.startswith(f"tare run {one.scenario} -t {one.of.target}")
    assert wording.why(found)


def test_parameters_in_force_count_and_others_may_have_any_value(tmp_path: Path) -> None:
    hundred = claim(
        Kind.THRESHOLD,
        Arm("docker", {"instances": 100}),
        scenario="density",
        metric="density.instances",
        band=Band(above=99),
    )
    row = Row("docker", [100] * 6, "density.instances", "density", {"step": 10}, {"instances": 100})
    assert judged(tmp_path, hundred, row).decision is Decision.SUPPORTED
    few = Row("docker", [9] * 6, "density.instances", "density", {"step": 3}, {"instances": 9})
    assert judged(tmp_path / "f", hundred, few).decision is Decision.NOT_MEASURED


def test_series_that_differ_in_another_parameter_are_not_compared(tmp_path: Path) -> None:
    rows = Row("docker", around(0.2), params={"cpus": 1}), Row("runc", around(0.1), params={"cpus": 2})
    assert judged(tmp_path, ORDER, *rows).reason is Reason.NO_SERIES


def test_parameter_that_both_arms_name_alike_keeps_its_series_apart(tmp_path: Path) -> None:
    faster = claim(
        Kind.ORDER,
        *(Arm("docker", {"instances": 100}), Arm("runc", {"instances": 100})),
        scenario="density",
        metric="density.launch_per_s",
        band=Band(below=1),
    )
    whole = {"in_force": {"instances": 100}}
    rows = [
        Row("docker", around(5), "density.launch_per_s", "density", **whole),
        Row("runc", around(50), "density.launch_per_s", "density", **whole),
        Row("docker", around(4), "density.launch_per_s", "density", {"instances": 100}),
        Row("runc", around(80), "density.launch_per_s", "density", {"instances": 100}),
    ]
    found = judged(tmp_path, faster, *rows)
    assert sorted(round(one.estimate or 0, 2) for one in found.found) == [0.05, 0.1]


def test_claim_holds_only_if_it_holds_with_every_parameter(tmp_path: Path) -> None:
    rows = [
        *(Row("docker", around(0.2), params={"cpus": 1}), Row("runc", around(0.1), params={"cpus": 1})),
        *(Row("docker", around(0.1), params={"cpus": 2}), Row("runc", around(0.2), params={"cpus": 2})),
    ]
    found = judged(tmp_path, ORDER, *rows)
    assert found.decision is Decision.CONTRADICTED
    assert found.leading.params["cpus"] == 2


BEST = claim(Kind.ORDER, Arm("runc"), Arm("crun"), Arm("docker"), Arm("podman"), band=Band(below=1))


def test_best_of_several_is_contradicted_by_one_and_supported_by_all(tmp_path: Path) -> None:
    runc, crun, docker = Row("runc", around(0.1)), Row("crun", around(0.05)), Row("docker", around(0.3))
    assert judged(tmp_path, BEST, runc, crun, docker).decision is Decision.CONTRADICTED
    rows = [runc, Row("crun", around(0.2)), docker]
    assert judged(tmp_path / "m", BEST, *rows).decision is Decision.NOT_MEASURED
    assert judged(tmp_path / "a", BEST, *rows, Row("podman", around(0.2))).decision is Decision.SUPPORTED
    gone = {"scenario": "startup", "target": "podman", "reason": "podman is not installed", "remedy": ""}
    found = judged(tmp_path / "g", BEST, *rows, skipped=[gone])
    assert found.decision is Decision.SUPPORTED
    assert wording.left_out(found) == "left out, not on this host: podman"


def test_time_outs_leave_a_claim_undecided(tmp_path: Path) -> None:
    late = Row("docker", status=Status.TIMEOUT, reason="no 'ready' within 60 s", blocks=2)
    found = judged(tmp_path, ORDER, Row("docker", around(0.2)), late, Row("runc", around(0.1)))
    assert (found.decision, found.reason) == (Decision.INCONCLUSIVE, Reason.TIMEOUTS)


def test_difference_that_a_failed_control_explains_is_undecided(tmp_path: Path) -> None:
    apart = [Row("null", around(0.3, 12)), Row("runc", around(0.1, 12))]
    found = judged(tmp_path, ORDER, *reversed(apart), Row("docker", around(0.2, 12)))
    assert (found.decision, found.reason) == (Decision.INCONCLUSIVE, Reason.CHECK_FAILED)
    found = judged(tmp_path / "b", ORDER, *reversed(apart), Row("docker", around(0.9, 12)))
    assert found.decision is Decision.SUPPORTED


def test_comparisons_are_corrected_together(tmp_path: Path) -> None:
    rows = [Row("docker", around(0.2, 6)), Row("runc", around(0.1, 6))]
    mixed = [
        claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=ABOVE_1),
        *(claim(Kind.THRESHOLD, Arm("runc"), band=Band(above=0.1)) for _ in range(9)),
    ]
    alone = claims.judge(write(tmp_path, rows), mixed[:1])
    assert (alone[0].decision, claims.family_size(alone)) == (Decision.SUPPORTED, 1)
    together = claims.judge(write(tmp_path / "b", rows), mixed)
    assert (together[0].decision, together[0].reason) == (Decision.INCONCLUSIVE, Reason.LOST_TO_CORRECTION)
    assert claims.family_size(together) == 10
    assert wording.multiplicity(together).startswith("10 comparisons with a 95 % interval, corrected together")


def test_empty_run_supports_nothing(tmp_path: Path) -> None:
    run = write(tmp_path, [Row("host", around(0.1), status=Status.FAILED, reason="x")])
    assert not [one for one in claims.judge(run) if one.decided]


finite = st.floats(1e-3, 1e3)
samples = st.lists(finite, min_size=0, max_size=12)


@settings(max_examples=25, deadline=None)
@given(samples, samples, finite, finite)
def test_decision_is_never_more_than_its_interval(
    tmp_path_factory: pytest.TempPathFactory, docker: list[float], runc: list[float], one_end: float, other_end: float
) -> None:
    band = Band(min(one_end, other_end), max(one_end, other_end))
    ratio = claim(Kind.RATIO, Arm("docker"), Arm("runc"), band=band)
    rows = [Row("host", around(1)), Row("docker", docker), Row("runc", runc)]
    (found,) = claims.judge(write(tmp_path_factory.mktemp("run"), rows), [ratio])
    ci = found.leading.ci
    if found.decision is Decision.SUPPORTED:
        assert ci is not None
        assert band.above < ci.low <= ci.high < band.below
    elif found.decision is Decision.CONTRADICTED:
        assert ci is not None
        assert ci.high <= band.above or ci.low >= band.below
    if min(len(docker), len(runc)) < 6:
        assert not found.decided


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_interval_is_never_inside_and_outside_at_once(a: float, b: float, c: float, d: float) -> None:
    band, low, high = Band(min(a, b), max(a, b)), min(c, d), max(c, d)
    assert not (band.holds(low, high) and band.fails(low, high))
    assert Band().holds(low, high)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(-5, 5))
def test_p_of_a_median_inverts_its_interval(values: list[float], at: float) -> None:
    ci = median_ci(values)
    outside = ci is not None and not ci.low <= at <= ci.high
    assert outside == (median_p(values, at) <= 0.05 + 1e-12)


def test_p_of_a_median_of_many_values_is_that_of_the_normal_approximation() -> None:
    values = np.linspace(0, 1, 1200)
    ci = median_ci(values)
    assert isinstance(ci, Interval)
    assert median_p(values, ci.low - 1e-6) <= 0.05 < median_p(values, ci.low + 1e-6)
    assert median_p([], 0) == 1.0
    assert math.isclose(median_p(values, 0.5), 1.0)
