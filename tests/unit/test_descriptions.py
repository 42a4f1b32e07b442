"""Descriptions of scenarios are filled in with what the plan measures; plan, run and outcomes record every parameter."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import scenario
from bench.core.errors import ScenarioError
from bench.core.metrics import METRICS
from bench.core.model import SENTINEL, Scenario
from bench.scenario import description, plan

TEXT = """\
name: mine
measure: compute
title: Mine
description: "{}"
targets: [host, runc]
baseline: host
"""


def shipped(name: str) -> Scenario:
    (one,) = scenario.load(scenario.find(name))
    return one


def told(name: str, targets: tuple[str, ...] = (), **params: list[str | int]) -> str:
    return description.of(scenario.override(shipped(name), targets=targets, params=params))


def test_duration_is_that_of_the_plan() -> None:
    assert "each for 100 ms." in told("compute", milliseconds=[100])
    assert "each for 500 ms." in told("compute"), "the default"


def test_layers_that_are_left_out_are_not_told() -> None:
    assert "host → sandbox → runc." in told("stack", ("host", "sandbox", "runc"))
    assert "pod" not in told("stack", ("host", "sandbox", "runc"))
    assert "two ways to use containerd" in told("stack")


def test_engines_that_are_left_out_are_not_told() -> None:
    few = told("startup", ("host", "docker"))
    assert "podman" not in few
    assert "guest" not in few
    assert "docker:network=none" not in few


def test_operations_and_limits_that_are_left_out_are_not_told() -> None:
    assert "fio" not in told("storage-drivers", operation=["copy-up"], largest_bytes=[2**20])
    assert "up to 1 MiB" in told("storage-drivers", operation=["copy-up"], largest_bytes=[2**20])
    limits = told("limits", limit=["cpu", "pids"])
    assert "half a CPU" in limits
    assert "MiB" not in limits
    assert '"none"' not in limits


def test_sysbench_is_not_told_where_only_loops_run() -> None:
    assert "sysbench" not in told("compute", tests=["loops"])


def test_several_values_are_listed() -> None:
    assert "(1, 10 and 50 in all)" in told("pull")
    assert "(3 in all)" in told("pull", layers=[3])


def test_emulated_machine_is_told_by_its_settled_target() -> None:
    one = shipped("compute")
    settled = dataclasses.replace(one, targets=(scenario.parse_target("libvirt:accel=tcg"),))
    assert "emulated" in description.of(settled)
    assert "emulated" not in description.of(one)


@pytest.mark.parametrize("suite", ["quick", "nightly", "full"])
def test_no_description_of_a_suite_has_a_gap(suite: str) -> None:
    for one in scenario.load(scenario.find(suite)):
        text = description.of(one)
        assert not {"{", "}", "  "} & {*text, *(text[at : at + 2] for at in range(len(text)))}
        assert " . " not in text
        assert "; ." not in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("for {{ minutes }}", "uses 'minutes'; it can use: cpus, engines, memory_bytes, milliseconds"),
        ("for {{ milliseconds", "is not a valid template"),
        ("{% if milliseconds > 3 %}long{% endif %}", "is not a valid template"),
    ],
)
def test_wrong_template_is_reported_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.format(text))
    with pytest.raises(ScenarioError, match=r"mine\.yaml:4: the description") as error:
        scenario.load(path)
    assert says in str(error.value)


def test_template_cannot_reach_the_program(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.format("{{ milliseconds.__class__.__mro__ }}"))
    with pytest.raises(ScenarioError, match="is not a valid template"):
        scenario.load(path)


def test_plan_has_every_parameter_in_force() -> None:
    one = scenario.override(shipped("compute"), params={"milliseconds": [100]})
    invocations = plan.build([one], 1)
    mine = [item for item in invocations if item.target != SENTINEL]
    assert {tuple(sorted(item.params)) for item in mine} == {("milliseconds",)}
    for item in mine:
        assert item.in_force == {"milliseconds": 100, "tests": "all", "memory_bytes": 256 * 2**20, "cpus": 1}
    assert all(item.in_force == {} for item in invocations if item.target == SENTINEL)


def test_every_number_of_quick_has_an_interval_or_is_exact() -> None:
    for one in scenario.load(scenario.find("quick")):
        exact = all(METRICS[metric].exact for metric in one.primary)
        assert one.blocks >= (1 if exact else 6), one.name
        assert one.null_target is not exact, one.name


def test_quick_boots_machines_in_one_scenario_of_blocks() -> None:
    loaded = scenario.load(scenario.find("quick"))
    machines = {one.name: one.blocks for one in loaded if any(target.engine == "libvirt" for target in one.targets)}
    assert machines == {"startup": 6, "size": 1}
