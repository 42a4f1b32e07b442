"""What two sides may differ in: parameters in force, two products or two builds of one, and what their evidence says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, compare, scenario, store
from bench.compare import nightly, wording
from bench.compare.verdicts import Verdict
from bench.core.errors import UsageError
from bench.run import record
from bench.scenario import description
from tests.synthetic_pairs import Values, write

RNG = np.random.default_rng(53)


def noisy(median: float, n: int = 20, sd: float = 0.01) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def with_parameters(folder: Path, name: str, values: Mapping[str, Values], given: object, **more: object) -> store.Run:
    """Write a run whose scenario records ``given`` as the parameters in force; ``None`` records none."""
    write(folder, name, values, sentinel=noisy(0.04, 20, 0.002), **more)  # type: ignore[arg-type]
    path = folder / name / "run.json"
    meta = json.loads(path.read_text())
    if given is not None:
        meta["scenarios"]["startup"]["parameters"] = given
    path.write_text(json.dumps(meta))
    return store.load(folder / name)


def between(folder: Path, base: str, new: str, factors: Sequence[str] = ()) -> compare.Compared:
    first, second = (compare.find_side(folder, name) for name in (base, new))
    return compare.compare(first, second, factors=factors)


def test_every_parameter_in_force_is_recorded() -> None:
    (limits,) = scenario.load(scenario.find("limits"))
    found = description.in_force(limits)
    assert found["milliseconds"] == list(limits.params.get("milliseconds", (1000,)))
    assert found["limit"] == list(limits.params["limit"])
    meta = {**record.scenario_meta(limits), "parameters": found, "stopped": {}}
    assert record.scenario_from("limits", meta) == limits


def test_runs_with_another_default_are_refused_by_the_parameters_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_parameters(tmp_path, "a", {"host": noisy(0.1)}, {"lives": [3], "cache": ["warm"]})
    with_parameters(tmp_path, "b", {"host": noisy(0.2)}, {"lives": [6], "cache": ["warm"], "later": [1]})
    where = ["--results", str(tmp_path)]
    assert cli.run(["compare", "a", "b", *where]) == 2
    assert "what is compared: parameter startup.lives: '3' and '6'; compare" in capsys.readouterr().err
    assert cli.run(["compare", "a", "b", "--factor", "startup.lives", *where]) == 1
    assert "compared: parameter startup.lives: '3' and '6'" in capsys.readouterr().out
    assert cli.run(["compare", "a", "b", "--force", *where]) == 1


def test_parameter_that_names_series_may_have_other_values(tmp_path: Path) -> None:
    for name, values in (("a", [1, 2]), ("b", [2, 3])):
        with_parameters(tmp_path, name, {"host": noisy(0.1)}, {"lives": values})
        path = tmp_path / name / "run.json"
        meta = json.loads(path.read_text())
        meta["scenarios"]["startup"]["params"] = {"lives": values}
        path.write_text(json.dumps(meta))
    found = between(tmp_path, "a", "b")
    assert found.unrecorded == ()


def test_run_that_does_not_record_its_parameters_is_noted_once(tmp_path: Path) -> None:
    with_parameters(tmp_path, "a", {"host": noisy(0.1), "runc": noisy(0.1)}, None)
    with_parameters(tmp_path, "b", {"host": noisy(0.1), "runc": noisy(0.1)}, {"lives": [6]})
    notes = wording.notes(between(tmp_path, "a", "b"))
    assert [note for note in notes if "defaults" in note] == [
        "unknown whether the defaults of parameters were the same: a did not record them"
    ]


STAMPS = {"c": {"stamp": "c", "scheduling": "SCHED_FIFO"}, "python": {"stamp": "python", "scheduling": "SCHED_OTHER"}}


def test_runs_with_another_stamp_of_events_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, stamp in STAMPS.items():
        write(tmp_path, name, {"host": noisy(0.1)}, sentinel=noisy(0.04, 20, 0.002), instrument=stamp)
    where = ["--results", str(tmp_path)]
    assert cli.run(["compare", "c", "python", *where]) == 2
    told = capsys.readouterr().err
    assert (
        "differ in more than what is compared: instrument.stamp: 'c' and 'python'; instrument.scheduling: 'SCHED_FIFO'"
        in told
    )
    assert cli.run(["compare", "c", "python", "--factor", "instrument.stamp", *where]) == 2
    both = ["--factor", "instrument.stamp", "--factor", "instrument.scheduling"]
    assert cli.run(["compare", "c", "python", *both, *where]) == 0
    assert cli.run(["compare", "c", "python", "--force", *where]) == 0


def test_run_that_does_not_record_its_stamp_is_compared_with_the_doubt_beside_it(tmp_path: Path) -> None:
    for name, stamp in (("old", {}), ("older", {}), ("new", STAMPS["c"])):
        write(tmp_path, name, {"host": noisy(0.1), "runc": noisy(0.1)}, instrument=stamp)
    doubt = "unknown whether events were stamped in the same way: {} did not record how"
    assert doubt.format("old") in wording.notes(between(tmp_path, "old", "new"))
    assert doubt.format("older and 1 more") in wording.notes(between(tmp_path, "older", "old"))
    assert not any("stamped" in note for note in wording.notes(between(tmp_path, "old@host", "old@runc")))


def test_night_with_another_stamp_of_events_has_no_base_and_no_alarm(tmp_path: Path) -> None:
    for number in range(6):
        given: dict[str, Any] = {"tags": {"nightly": "quick"}, "started_at": f"2026-03-{number + 1:02}T02"}
        stamp, level = (STAMPS["c"], 0.1) if number < 5 else (STAMPS["python"], 0.2)
        write(tmp_path, f"n{number}", {"host": noisy(level)}, sentinel=noisy(0.04), instrument=stamp, **given)
    night = nightly.judge(tmp_path, store.load(tmp_path / "n5"), "quick")
    assert (night.findings, night.compared, night.exit_code) == ((), {}, 0)


def test_night_after_another_default_has_no_base_and_no_alarm(tmp_path: Path) -> None:
    for number in range(6):
        given = {"tags": {"nightly": "quick"}, "started_at": f"2026-03-{number + 1:02}T02"}
        values, lives = {"host": noisy(0.1 if number < 5 else 0.2)}, [3 if number < 5 else 6]
        run = with_parameters(tmp_path, f"n{number}", values, {"lives": lives}, **given)
    night = nightly.judge(tmp_path, run, "quick")
    assert (night.findings, night.compared, night.exit_code) == ((), {}, 0)


TCG, KVM = "libvirt:accel=tcg,guest=full", "libvirt:accel=kvm,guest=full"


@pytest.mark.parametrize(
    ("base", "new", "verdict", "code"),
    [
        ("podman", "docker", Verdict.SLOWER, 0),
        ("docker:network=none", "docker", Verdict.SLOWER, 0),
        ("docker:bin=/a,network=none", "docker:bin=/b", Verdict.SLOWER, 0),
        ("runc", "runc:bin=/new/runc", Verdict.REGRESSED, 1),
        ("docker:bin=/a", "docker:bin=/b,config=/c", Verdict.REGRESSED, 1),
        ("libvirt:guest=minimal,kernel=/a", "libvirt:guest=minimal,kernel=/b", Verdict.REGRESSED, 1),
    ],
)
def test_two_products_are_slower_and_two_builds_regress(
    tmp_path: Path, base: str, new: str, verdict: Verdict, code: int
) -> None:
    write(tmp_path, "a", {base: noisy(0.1), new: noisy(0.2)})
    found = between(tmp_path, f"a@{base}", f"a@{new}")
    assert ([one.verdict for one in found.results], found.exit_code) == ([verdict], code)
    back = between(tmp_path, f"a@{new}", f"a@{base}")
    assert back.results[0].verdict is (Verdict.FASTER if verdict is Verdict.SLOWER else Verdict.IMPROVED)


def test_slower_product_is_no_failure_for_a_ci_server(tmp_path: Path) -> None:
    write(tmp_path, "a", {"podman": noisy(0.1), "docker": noisy(0.2)})
    words = ["compare", "a@podman", "a@docker", "--results", str(tmp_path), "--junit", str(tmp_path / "j.xml")]
    done = CliRunner().invoke(cli.tare, [*words, "-o", str(tmp_path / "out")], standalone_mode=False)
    assert done.return_value == 0
    assert "▲ slower" in done.output
    assert 'failures="0"' in (tmp_path / "j.xml").read_text()
    assert "1 slower</b> of 1 series" in (tmp_path / "out" / "compare.html").read_text()


def proved(folder: Path, name: str, evidence: Mapping[str, Mapping[str, str]]) -> None:
    """Give every outcome of a target its evidence."""
    path = folder / name / store.OUTCOMES
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = ({**one, "evidence": {**evidence.get(one["target"], {}), "pid": str(one["invocation"])}} for one in lines)
    path.write_text("".join(json.dumps(one) + "\n" for one in told))


def notes_of(folder: Path, base: str, new: str) -> str:
    return "\n".join(wording.notes(between(folder, base, new)))


def test_evidence_that_differs_beside_what_is_compared_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a", {"podman": noisy(0.1), "docker": noisy(0.2)})
    same = {"seccomp": "filter", "network": "bridge"}
    crun = {"runtime": "crun", "runtime_digest": "11", "runtime_path": "/a/crun", "daemon": "/a/podman"}
    runc = {"runtime": "runc", "runtime_digest": "22", "runtime_path": "/a/runc", "daemon": "/a/dockerd"}
    proved(tmp_path, "a", {"podman": same | crun, "docker": same | runc})
    told = notes_of(tmp_path, "a@podman", "a@docker")
    assert "these differ in addition to what is compared: runtime: 'crun' and 'runc'" in told.splitlines()


def test_evidence_that_shows_what_is_compared_is_not_told(tmp_path: Path) -> None:
    write(tmp_path, "a", {"runc": noisy(0.1), "runc:bin=/b/runc": noisy(0.2)})
    evidence = [{"runtime": "runc", "runtime_digest": digest} for digest in ("11", "22")]
    proved(tmp_path, "a", dict(zip(("runc", "runc:bin=/b/runc"), evidence, strict=True)))
    assert "these differ" not in notes_of(tmp_path, "a@runc", "a@runc:bin=/b/runc")


def test_another_version_behind_one_target_of_two_runs_is_told(tmp_path: Path) -> None:
    for name, digest in (("a", "11"), ("b", "22")):
        write(tmp_path, name, {"docker": noisy(0.1)})
        proved(tmp_path, name, {"docker": {"runtime": "runc", "runtime_digest": digest}})
    assert "these differ in addition to what is compared: docker runtime_digest: '11' and '22'" in notes_of(
        tmp_path, "a", "b"
    )


@pytest.mark.parametrize(
    ("base", "labelled"), [("runc", True), (KVM, True), ("libvirt:accel=tcg,guest=minimal", False)]
)
def test_emulated_machine_carries_its_label_beside_anything_else(tmp_path: Path, base: str, labelled: bool) -> None:
    write(tmp_path, "a", {base: noisy(0.1), TCG: noisy(2.0)})
    run = store.load(tmp_path / "a")
    notes = wording.notes(compare.compare(compare.Side(run, base), compare.Side(run, TCG)))
    assert any(note.startswith(f"EMULATED: {TCG}") for note in notes) is labelled


def test_parameter_of_no_difference_is_no_factor(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with_parameters(tmp_path, name, {"host": noisy(0.1)}, {"lives": [3]})
    with pytest.raises(UsageError, match=r"unknown factor 'startup\.lives'"):
        between(tmp_path, "a", "b", ["startup.lives"])
