"""Claims files: the one that ships is right and can be measured; mistakes are told all at once with their lines."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import claims, cli, engines, scenario
from bench.claims import Claim, Kind, command
from bench.claims.command import of as command_of
from bench.core.errors import ScenarioError
from bench.core.metrics import METRICS
from bench.core.model import ParamValue
from bench.scenario import plan

SHIPPED = claims.load()
SCENARIOS = {name: scenario.load(scenario.find(name))[0] for name in {one.scenario for one in SHIPPED}}

GOOD = """\
title: Mine
sources:
  me: {title: What I think, date: today}
claims:
  - name: docker-later
    says: Docker takes longer than runc.
    source: me
    kind: order
    scenario: startup
    metric: startup.ready_s
    of: {target: docker}
    than: [{target: runc}]
    above: 1
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_good_file_loads(tmp_path: Path) -> None:
    (found,) = claims.load(write(tmp_path, GOOD))
    assert (found.name, found.kind, found.source.title) == ("docker-later", Kind.ORDER, "What I think")
    assert (found.of.target, [arm.target for arm in found.than], found.band.ends) == ("docker", ["runc"], (1,))


@pytest.mark.parametrize(
    ("change", "to", "line", "says"),
    [
        ("says: Docker takes longer than runc.", "say: x", 6, r"unknown key 'say', allowed: .*did you mean 'says'\?"),
        ("of: {target: docker}", "of: {tagret: docker}", 11, r"unknown key 'tagret', allowed: params, target"),
        ("{title: What I think, date: today}", "{title: What I think}", 3, r"the key 'sources.me.date' is missing; When it was"),
        ("source: me", "source: you", 7, r"unknown source 'you', allowed: me"),
        ("scenario: startup", "scenario: isolation2", 9, r"unknown scenario 'isolation2', allowed: "),
        ("scenario: startup", "scenario: quick", 9, r"unknown scenario 'quick'"),
        ("startup.ready_s", "startup.redy_s", 10, r"unknown metric 'startup.redy_s'.*did you mean 'startup.ready_s'\?"),
        ("metric: startup.ready_s", "note: pid", 10, r"only a fact can be about a note"),
        ("    metric: startup.ready_s\n", "", 5, r"a claim is about a metric or about a note"),
        ("{target: docker}", "{target: dokcer}", 11, r"unknown engine 'dokcer'.*did you mean 'docker'\?"),
        ("[{target: runc}]", "[{target: runc}, {target: 'runc:x=1'}]", 12, r"unknown option of runc 'x'"),
        ("{target: docker}", "{target: docker, params: {cache: tepid}}", 11, r"unknown value of 'cache' 'tepid', allowed: cold, warm"),
        ("    above: 1\n", "    params: {cache: tepid}\n    above: 1\n", 13, r"unknown value of 'cache' 'tepid'"),
        ("above: 1", "above: 2", 8, r"an order has 'above' or 'below', which is 1"),
        ("above: 1", "above: 1\n    below: 3", 8, r"an order has"),
        ("    above: 1\n", "", 8, r"an order has"),
        ("above: 1", "above: .nan", 13, r"'claims.0.above': input should be a finite number"),
        ("    than: [{target: runc}]\n", "", 8, r"a claim of kind 'order' needs 'than'"),
        ("kind: order", "kind: fact", 8, r"a claim of kind 'fact' has no 'than'"),
        ("kind: order", "kind: fact", 8, r"a fact has one of 'equals', 'differs_from' and 'has_word'"),
        ("kind: order", "kind: equality", 8, r"an equality has 'above' and 'below', with 1"),
        ("kind: order", "kind: hunch", 8, r"'claims.0.kind': input should be 'order', 'ratio'"),
        ("kind: order", "kind: [order]", 8, r"'claims.0.kind': input should be"),
        ("above: 1", "above: 1e9", 13, r"'claims.0.above': input should be a valid number, found '1e9'"),
        ("{target: docker}", "{target: 'libvirt:guest=minimal'}", 11, r"needs KVM: add 'needs: \{kvm: true\}'"),
        ("kind: order", "kind: ratio\n    below: 0.5", 14, r"'above: 1' must be less than 'below: 0.5'"),
        ("title: Mine", "title: ''", 1, r"'title': string should have at least 1 character"),
        ("sources:", "sources: [", 4, r"YAML syntax"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_line(tmp_path: Path, change: str, to: str, line: int, says: str) -> None:
    path = write(tmp_path, GOOD.replace(change, to, 1))
    with pytest.raises(ScenarioError, match=says) as caught:
        claims.load(path)
    assert f"{path}:{line}: " in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        GOOD.replace("source: me", "source: you").replace("startup.ready_s", "startup.redy_s").replace("says:", "say:")
    )
    second = GOOD[GOOD.index("  - name") :].replace("docker}", "dokcer}")
    path = write(tmp_path, text + second)
    assert cli.run(["claims", "sample", "-f", str(path)]) == 2
    said = capsys.readouterr().err
    for line in (6, 7, 10, 14, 20):
        assert f"{path}:{line}: " in said
    assert "the claim 'docker-later' is there twice" in said


@pytest.mark.parametrize(
    "text", ["", "- a\n", "claims: 3\n", "claims: [1, [2], null]\nsources: 7\ntitle: x\n", "a: &a [*a]\n"]
)
def test_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError, match=r"mine\.yaml:1: "):
        claims.load(write(tmp_path, text))


def test_missing_file_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "sample", "--file", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: cannot be read: No such file or directory" in capsys.readouterr().err


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_value_at_any_key_is_refused_or_accepted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document: dict[str, Any] = yaml.safe_load(GOOD)
    holder = data.draw(
        st.sampled_from([document, document["claims"][0], document["claims"][0]["of"], document["sources"]])
    )
    keys = [*holder, "below", "equals", "differs_from", "has_word", "params", "needs", "scale", "note", "tier"]
    holder[data.draw(st.sampled_from(keys))] = data.draw(values)
    path = write(tmp_path_factory.mktemp("claims"), yaml.safe_dump(document))
    try:
        assert claims.load(path)
    except ScenarioError as error:
        assert str(path) in str(error)  # noqa: PT017 - either is right


def test_example_of_the_documentation_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/claims.md").read_text(encoding="utf-8")
    lines = page[page.index("    title: What I want") :].split("\n\n")[0].splitlines()
    found = claims.load(write(tmp_path, "\n".join(line.removeprefix("    ") for line in lines)))
    assert [one.kind for one in found] == [Kind.THRESHOLD, Kind.RATIO]


def test_schema_describes_claims(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["schema", "claims"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["required"]) == {"title", "sources", "claims"}
    assert "above" in found["$defs"]["ClaimFile"]["properties"]
    assert cli.run(["schema"]) == 0
    assert "oneOf" in json.loads(capsys.readouterr().out)


def test_shipped_file_has_forty_sentences_of_the_primer_and_dated_bands() -> None:
    primer = [one for one in SHIPPED if one.source.name == "primer"]
    assert len(primer) >= 40
    assert all(one.section and one.line for one in primer)
    bands = [one for one in SHIPPED if one.tier]
    assert len(bands) >= 10
    assert all(one.source.link and one.source.date and one.source.note for one in bands)
    assert {one.kind for one in SHIPPED} == set(Kind)


def series_names(one: Claim) -> set[str]:
    """Return the parameters of a claim's arms that are not of its benchmark: they name a number of an invocation."""
    return {
        name
        for arm in (one.of, *one.than)
        for name in arm.params
        if not command._is_taken(one.benchmark, name, arm.params[name])
    }


NUMBERED: dict[str, set[str]] = {
    "compute": {"syscall"},
    "image-build": {"cache"},
    "logging": {"part", "read"},
    "memory": {"column"},
    "network-modes": {"direction", "streams"},
    "restart": {"attempt", "cause", "policy"},
    "storage-drivers": {"file_bytes", "write"},
    "storage-types": {"action", "cache", "op", "pattern"},
    "hardening": {"act", "call"},
    "secrets": {"place"},
    "reach": {"fact"},
    "volumes": {"change", "side"},
    "usage": {"figure"},
    "instructions": {"instruction"},
}
"""Benchmark → what its series are named by beside its parameters; the tests of the benchmarks hold these names."""


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_command_of_a_shipped_claim_measures_its_arms(one: Claim) -> None:
    words = shlex.split(command_of(one))
    assert words[:3] == ["tare", "run", one.scenario]
    options = list(zip(words[3::2], words[4::2], strict=True))
    params: dict[str, list[ParamValue]] = {
        name: list(values.split(","))
        for name, _, values in (value.partition("=") for key, value in options if key == "-p")
    }
    measured = SCENARIOS[one.scenario]
    targets = [value for key, value in options if key == "-t"]
    blocks = next((int(value) for key, value in options if key == "--blocks"), None)
    made = plan.build([scenario.override(measured, targets=targets, params=params, blocks=blocks)], seed=1)
    assert max(row.block for row in made) + 1 >= (
        6 if one.metric and not METRICS[one.metric].exact and one.kind != "fact" else 1
    )
    for arm in (one.of, *one.than):
        mine = [row.in_force for row in made if row.target == arm.target]
        asked = {name: value for name, value in arm.params.items() if name not in NUMBERED.get(one.benchmark, set())}
        assert any(all(in_force[name] == value for name, value in asked.items()) for in_force in mine)


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_targets_of_a_shipped_claim_are_in_its_scenario(one: Claim) -> None:
    measured = SCENARIOS[one.scenario]
    assert {arm.target for arm in (one.of, *one.than)} <= {target.text for target in measured.targets}
    assert series_names(one) <= NUMBERED.get(one.benchmark, set())


def test_claims_about_machines_need_kvm_unless_the_number_is_exact() -> None:
    machines = [
        one
        for one in SHIPPED
        if any("accel" in engines.get(arm.target.partition(":")[0]).options for arm in (one.of, *one.than))
    ]
    assert len(machines) >= 5
    assert all(one.kvm or METRICS[one.metric].exact for one in machines)
