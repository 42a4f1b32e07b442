"""``tare claims`` on the sample run, a real one: golden verdicts, the same numbers as ``tare show``, and votes of several hosts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench import claims, cli, store
from bench.claims import Decision, Kind, Reason, Verdict, wording
from bench.claims.model import Arm, Band
from bench.claims.votes import Judged, polls
from bench.stats import summaries
from bench.stats.samples import of_frames
from tests.claim_runs import Row, claim, write

SAMPLE = Path(__file__).parents[2] / "results/sample"
VERDICTS = {one.claim.name: one for one in claims.judge(store.load(SAMPLE))}

CONTRADICTED = {"every-instruction-makes-a-layer", "overlay2-first-write-fastest", "user-namespace-root-differs"}
INCONCLUSIVE = {
    "band-runc-crun",
    "container-computes-as-host",
    "docker-cli-is-extra-layer",
    "host-change-visible-at-once",
}
SUPPORTED = {
    "band-blocking-log-keeps-all",
    "band-docker-runc",
    "band-filter-costs",
    "band-first-probe",
    "band-pull-share",
    "compose-down-removes-all",
    "compose-keeps-order",
    "container-density-by-memory",
    "container-image-megabytes",
    "container-start-milliseconds",
    "container-start-seconds",
    "containerd-adds-to-runc",
    "copied-secret-in-image",
    "copy-up-grows-with-file",
    "copy-up-takes-file-space",
    "cpu-quota-holds",
    "cri-beats-docker",
    "docker-uses-runc",
    "dockerd-is-extra-layer",
    "dockerignore-keeps-secret-out",
    "env-secret-in-image",
    "first-write-copies",
    "good-order-keeps-dependencies",
    "health-interval-kept",
    "host-change-visible-in-bind",
    "host-network-needs-no-mapping",
    "host-network-ports-conflict",
    "host-network-reaches-host",
    "ipc-namespace-own",
    "layers-shared",
    "mnt-namespace-own",
    "names-resolve",
    "net-namespace-own",
    "none-network-isolated",
    "none-network-reaches-nothing",
    "pid-namespace-hides-others",
    "pid-namespace-own-init",
    "pids-limit-holds",
    "root-by-default",
    "run-makes-a-layer",
    "scratch-is-empty",
    "stats-shows-cpu-time",
    "stats-shows-memory",
    "tmpfs-has-its-size",
    "unchanged-layers-cached",
    "uts-namespace-own",
    "vm-image-larger",
    "volume-outlives-container",
    "write-limit-holds",
}
"""What the sample run decides, checked by hand against ``tare show sample --all``."""


def names(decision: Decision) -> set[str]:
    return {name for name, one in VERDICTS.items() if one.decision is decision}


def test_sample_run_decides_what_its_tables_show() -> None:
    assert names(Decision.CONTRADICTED) == CONTRADICTED
    assert names(Decision.SUPPORTED) == SUPPORTED
    assert names(Decision.INCONCLUSIVE) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("container-start-seconds", "214 ms [198, 260]"),
        ("container-computes-as-host", "1.01 [0.979, 1.06]"),
        ("container-image-megabytes", "968 KiB"),
        ("copy-up-takes-file-space", "16.0 MiB"),
        ("names-resolve", "19.0 ms [14.5, 19.7]"),
        ("write-limit-holds", "0.961 [0.952, 0.971]"),
        ("band-first-probe", "56.8 ms [44.0, 58.8]"),
        ("band-pull-share", "0.750 [0.731, 0.756]"),
        ("band-filter-costs", "1.21 [1.11, 1.33]"),
        ("user-namespace-root-differs", "0 0 4294967295"),
        ("pid-namespace-hides-others", "1"),
    ],
)
def test_number_is_the_one_that_show_prints(name: str, number: str) -> None:
    assert wording.number(VERDICTS[name]) == number


def test_medians_and_ratios_are_those_of_the_summaries() -> None:
    run = store.load(SAMPLE)
    outcomes = store.outcomes(run)
    found = summaries.summarise(of_frames(store.measurements(run, outcomes), outcomes, run.meta["scenarios"]))
    by_series = {(one.scenario, one.target, one.metric, json.dumps(one.params, sort_keys=True)): one for one in found}
    checked = 0
    for verdict in VERDICTS.values():
        one = verdict.leading
        if one.estimate is None or one.exact or verdict.claim.scale != "ratio":
            continue
        baseline = run.meta["scenarios"][verdict.claim.scenario]["baseline"]
        same = [
            summary
            for key, summary in by_series.items()
            if key[:3] == (verdict.claim.scenario, one.of, verdict.claim.metric)
            and summary.params.items() <= one.params.items()
        ]
        if not one.than and one.ci:
            assert any(summary.median == pytest.approx(one.estimate) and summary.ci == one.ci for summary in same)
            checked += 1
        elif one.than == baseline and one.params == one.than_params and one.ci:
            assert any(summary.ratio == pytest.approx(one.estimate) for summary in same)
            checked += 1
    assert checked >= 10


def test_emulated_machines_of_the_sample_decide_no_time_or_memory() -> None:
    mine = [one for one in VERDICTS.values() if one.claim.kvm]
    assert len(mine) >= 5
    assert {(one.decision, one.reason) for one in mine} == {(Decision.NOT_APPLICABLE, Reason.EMULATED)}


def test_every_claim_has_a_decision_a_reason_and_a_command() -> None:
    for one in VERDICTS.values():
        assert one.command.startswith("tare run ")
        assert bool(wording.why(one)) != one.decided
        assert bool(wording.evidence(one)) or not one.decided


def test_terminal_output_fits_and_has_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", str(SAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "✗ contradicted (3)" in text
    assert f"✓ supported ({len(SUPPORTED)})" in text
    commands = {one.command for one in VERDICTS.values()}
    lines = [line for line in text.splitlines() if not any(command in line for command in commands)]
    assert max(map(len, lines)) <= 100
    plain = " ".join(text.split())
    assert all(one.claim.says in plain for one in VERDICTS.values())
    assert all(one.command in text for one in VERDICTS.values() if one.decision is Decision.NOT_MEASURED)


def test_json_has_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", str(SAMPLE), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"][0]["comparisons"] == claims.family_size(list(VERDICTS.values()))
    by_name = {one["name"]: one for one in found["claims"]}
    assert Counter(one["hosts"][0]["decision"] for one in found["claims"])["supported"] == len(SUPPORTED)
    ratio = by_name["band-docker-runc"]
    assert (ratio["supporting"], ratio["contradicting"], ratio["undecided"]) == (1, 0, 0)
    assert ratio["flips_at"] == [4, 20]
    [comparison] = ratio["hosts"][0]["verdicts"][0]["comparisons"]
    assert comparison["ci_low"] < comparison["estimate"] < comparison["ci_high"]
    assert comparison["n"] == 6


MINE = """\
title: Mine
sources: {me: {title: I, date: today}}
claims:
  - {name: fast, says: runc starts within 100 ms., source: me, kind: threshold, scenario: startup,
     metric: startup.ready_s, of: {target: runc}, below: 0.1}
  - {name: later, says: Docker takes longer., source: me, kind: order, scenario: startup,
     metric: startup.ready_s, of: {target: docker}, than: [{target: runc}], above: 1}
"""


def mine(folder: Path) -> list[str]:
    """Write a claims file and return the options that name it."""
    (folder / "mine.yaml").write_text(MINE)
    return ["-f", str(folder / "mine.yaml")]


def test_own_claims_are_judged_without_any_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write(tmp_path, [Row("docker", [0.2] * 8), Row("runc", [0.05] * 8)])
    assert cli.run(["claims", str(run.path), *mine(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2 claims: 2 supported" in text
    assert "2 comparisons with a 95 % interval" in text


def test_unknown_run_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "latest", "--results", str(tmp_path)]) == 2
    assert "no runs in" in capsys.readouterr().err


FASTER = claim(Kind.ORDER, Arm("docker"), Arm("runc"), band=Band(above=1))


def host(folder: Path, name: str, docker: float, run_id: str) -> Judged:
    """Judge a run in which runc takes 0.1 s and Docker ``docker`` seconds."""
    rows = [Row("docker", [docker] * 8), Row("runc", [0.1] * 8)]
    run = write(folder, rows, run_id, host=name, fingerprint=name)
    return Judged(run, claims.judge(run, [FASTER]))


def test_hosts_vote_and_their_values_are_never_pooled(tmp_path: Path) -> None:
    runs = [host(tmp_path, "a", 0.3, "r1"), host(tmp_path, "b", 0.05, "r2"), host(tmp_path, "c", 0.2, "r3")]
    [poll] = polls(runs)
    assert [vote.host.name for vote in poll.hosts(Decision.SUPPORTED)] == ["a", "c"]
    assert [vote.host.name for vote in poll.hosts(Decision.CONTRADICTED)] == ["b"]
    assert [vote.leading.leading.estimate for vote in poll.votes] == pytest.approx([3, 0.5, 2])


def test_runs_of_one_host_have_one_vote_and_none_if_they_disagree(tmp_path: Path) -> None:
    same = [host(tmp_path, "a", 0.3, "r1"), host(tmp_path, "a", 0.2, "r2")]
    [poll] = polls(same)
    assert [vote.decision for vote in poll.votes] == [Decision.SUPPORTED]
    assert poll.votes[0].leading.leading.estimate == pytest.approx(2)
    [poll] = polls([*same, host(tmp_path, "a", 0.05, "r3")])
    assert [(vote.decision, vote.disagree) for vote in poll.votes] == [(Decision.INCONCLUSIVE, True)]


def test_run_that_decides_speaks_for_a_host_whose_other_run_does_not(tmp_path: Path) -> None:
    silent = write(tmp_path, [Row("host", [0.1] * 8)], "r0", host="a", fingerprint="a")
    [poll] = polls([host(tmp_path, "a", 0.3, "r1"), Judged(silent, claims.judge(silent, [FASTER]))])
    assert [vote.decision for vote in poll.votes] == [Decision.SUPPORTED]


def test_several_runs_are_shown_as_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, docker in (("a", 0.2), ("b", 0.01), ("c", 0.05)):
        rows = [Row("docker", [docker] * 7), Row("runc", [0.05, 0.051, 0.049, 0.05, 0.05, 0.052, 0.05])]
        write(tmp_path, rows, name, host=name, fingerprint=name)
    command = ["claims", "a", "b", "c", "a", "--results", str(tmp_path), *mine(tmp_path)]
    assert cli.run(command) == 0
    text = capsys.readouterr().out
    assert "2 claims, 3 hosts, 3 runs." in text
    assert "supporting 1, contradicting 1, undecided 1" in text
    assert "✓ a: docker ÷ runc: 4.00" in text
    assert cli.run([*command, "--json"]) == 0
    fast, later = json.loads(capsys.readouterr().out)["claims"]
    assert (fast["supporting"], fast["contradicting"], fast["undecided"]) == (3, 0, 0)
    assert [one["decision"] for one in later["hosts"]] == ["supported", "contradicted", "inconclusive"]


def test_claim_that_applies_nowhere_names_the_reason_and_no_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        gone = {"scenario": "startup", "target": "docker", "reason": f"no dockerd on {name}", "remedy": ""}
        write(tmp_path, [Row("runc", [0.05] * 7)], name, host=name, fingerprint=name, skipped=[gone])
    assert cli.run(["claims", "a", "b", "--results", str(tmp_path), *mine(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "1 claim not applicable on any host:" in text
    assert "docker cannot run on this host: no dockerd on a" in text
    assert "tare run" not in text


def verdict_of(name: str) -> Verdict:
    return VERDICTS[name]


def test_sentence_on_a_comparison_of_one_target_names_what_differs() -> None:
    assert wording.compared(verdict_of("first-write-copies")) == "write=first ÷ write=second"
    assert wording.compared(verdict_of("dockerd-is-extra-layer")) == "docker:network=none ÷ containerd"
