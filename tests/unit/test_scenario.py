"""Scenario files: errors have file, line, the allowed values and the nearest spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import benchmarks, scenario
from bench.core.errors import ScenarioError, UsageError
from bench.scenario.files import ScenarioFile

GOOD = """\
name: mine
measure: startup
title: Mine
targets:
  - host
  - docker:network=none
baseline: host
blocks: 6
primary: [startup.ready_s]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_valid_file_is_loaded(tmp_path: Path) -> None:
    [found] = scenario.load(write(tmp_path, GOOD))
    assert [target.text for target in found.targets] == ["host", "docker:network=none"]
    assert (found.blocks, found.warmup_blocks, found.baseline, found.null_target) == (6, 1, "host", True)
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("change", "to", "line", "says"),
    [
        ("blocks: 6", "blocs: 6", 8, r"unknown key 'blocs', allowed: .*blocks.*; did you mean 'blocks'\?"),
        ("blocks: 6", "blocks: six", 8, r"'blocks': .*integer.*found 'six'"),
        ("blocks: 6", "blocks: 0", 8, r"'blocks': .*greater than or equal to 1.*found 0"),
        ("blocks: 6", "blocks: 6\ntimeout_s: -1", 9, r"'timeout_s': .*greater than 0"),
        ("blocks: 6", "blocks: 6\nblocks: 7", 9, r"the key 'blocks' is repeated \(first in line 8\)"),
        ("measure: startup", "measure: startp", 2, r"unknown benchmark 'startp', allowed: .*startup.*; did you mean 'startup'\?"),
        ("docker:network=none", "dokcer", 6, r"unknown engine 'dokcer', allowed: .*docker.*; did you mean 'docker'\?"),
        ("docker:network=none", "docker:netwrk=none", 6, r"unknown option of docker 'netwrk'.*did you mean 'network'\?"),
        ("docker:network=none", "docker:network=nine", 6, r"unknown value of docker:network 'nine', allowed: bridge, host, internal, macvlan, none"),
        ("docker:network=none", "docker:network", 6, r"'network' in target 'docker:network' is not key=value"),
        ("docker:network=none", "runc:x=1", 6, r"unknown option of runc 'x', allowed: bin"),
        ("docker:network=none", "host", 6, r"the target 'host' is listed twice"),
        ("baseline: host", "baseline: runc", 7, r"the baseline 'runc' is not among the targets: host, docker:network=none"),
        ("startup.ready_s", "startup.redy_s", 9, r"unknown metric 'startup.redy_s'.*did you mean 'startup.ready_s'\?"),
        ("title: Mine\n", "", 1, r"the key 'title' is missing; One line for people"),
        ("targets:", "targets: [", 5, r"YAML syntax"),
        ("blocks: 6", "params: {cahce: cold}", 8, r"unknown parameter of 'startup' 'cahce'.*did you mean 'cache'\?"),
        ("blocks: 6", "params: {cache: tepid}", 8, r"unknown value of 'cache' 'tepid', allowed: cold, warm"),
        ("blocks: 6", "params: {cpus: many}", 8, r"'cpus' takes a whole number"),
    ],
)  # fmt: skip
def test_invalid_file_is_reported_with_its_line(tmp_path: Path, change: str, to: str, line: int, says: str) -> None:
    path = write(tmp_path, GOOD.replace(change, to))
    with pytest.raises(ScenarioError, match=says) as caught:
        scenario.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "# nothing but a remark\n", "---\n"])
def test_empty_file_lists_the_keys_of_a_scenario(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError, match=r"mine.yaml:1: the file is empty; a scenario has name"):
        scenario.load(write(tmp_path, text))


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n"])
def test_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError, match=r"mine.yaml:1: expected 'key: value' lines"):
        scenario.load(write(tmp_path, text))


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ScenarioError, match="is not UTF-8"):
        scenario.load(path)


def test_unknown_name_is_reported_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown scenario or suite 'quik', allowed: .*did you mean 'quick'\?"):
        scenario.find("quik")


def test_suite_overrides_its_scenarios_and_reports_errors_with_its_own_line(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: s\ntitle: S\nscenarios:\n  - scenario: mine.yaml\n    blocks: 3\n    targets: [host]\n")
    [found] = scenario.load(suite)
    assert (found.blocks, [target.text for target in found.targets]) == (3, ["host"])
    suite.write_text("name: s\ntitle: S\nscenarios:\n  - scenario: mine.yaml\n    targets: [hots]\n")
    with pytest.raises(ScenarioError, match=r"suite.yaml:4: unknown engine 'hots'"):
        scenario.load(suite)
    suite.write_text("name: s\ntitle: S\nscenarios:\n  - scenario: mine.yaml\n    block: 3\n")
    with pytest.raises(ScenarioError, match=r"suite.yaml:5: unknown key 'block', allowed: .*did you mean 'blocks'\?"):
        scenario.load(suite)


def test_target_options_in_any_order_have_one_spelling() -> None:
    one = scenario.parse_target("docker:storage=vfs,network=none")
    assert one.text == "docker:network=none,storage=vfs"
    assert scenario.parse_target(one.text) == one


def test_baseline_is_added_to_chosen_targets() -> None:
    startup = scenario.load(scenario.find("startup"))[0]
    changed = scenario.override(startup, targets=["runc"])
    assert [target.text for target in changed.targets] == ["host", "runc"]


def test_every_shipped_file_loads() -> None:
    assert len(scenario.names()) > len(benchmarks.BUILT_IN), "each benchmark has a scenario, and there are suites"
    for path in scenario.names().values():
        assert scenario.load(path)


def test_schema_describes_every_key() -> None:
    found = scenario.schema()["oneOf"][0]["properties"]
    assert set(found) == set(ScenarioFile.model_fields)
    assert all("description" in entry for entry in found.values())


MANY = """\
name: Mine
measure: startup
titel: Mine
targets: [host, hots, "docker:network=nine", host]
baseline: runc
blocks: six
blocks: 7
params: {cahce: cold, cpus: many}
primary: [startup.redy_s]
"""


def test_every_mistake_of_a_file_is_reported_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, MANY)
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    lines = str(caught.value).splitlines()
    said = [line.removeprefix(f"{path}:") for line in lines]
    assert [int(line.partition(":")[0]) for line in said] == [1, 1, 3, 4, 4, 4, 7, 8, 8, 9]
    for words in (
        "'name'",
        "'title' is missing",
        "'titel'",
        "'hots'",
        "'nine'",
        "listed twice",
        "is repeated",
        "'cahce'",
        "'cpus'",
    ):
        assert sum(words in line for line in said) == 1, words


def test_every_mistake_of_a_suite_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("name: s\ntitle: S\nscenarios:\n  - {scenario: startup, targets: [hots]}\n  - scenario: memroy\n")
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["4", "5"]


def laughs(levels: int) -> str:
    """Return a file whose last value stands for 9 to the power of ``levels`` words."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def chain(length: int) -> str:
    """Return a file whose last value has as many levels, one in each line."""
    return "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, length))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("targets: " + "[" * 5000 + "]" * 5000, "more than 50 levels of lists or mappings"),
        ("targets: " + "[" * 5000, "more than 50 levels of lists or mappings"),
        ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "more than 50 levels of lists or mappings"),
        ("\n".join(" " * n + "a:" for n in range(500)), "more than 50 levels of lists or mappings"),
        ("? " * 3000 + "a", "more than 50 levels of lists or mappings"),
        (laughs(12), "aliases expand to too many values or levels"),
        (chain(3000), "aliases expand to too many values or levels"),
        ("targets: &a [host, *a]", "a value contains itself through an alias"),
        ("a: &a\n  <<: *a\n", "a value contains itself through an alias"),
        ("a: &x 1\nb: &x 2\n", "anchor 'x'"),
        ("a: *missing", "found undefined alias 'missing'"),
        ("? [a, b]\n: c\n", "unhashable key"),
        ("name: 2026-13-45", "a value cannot be read: month must be in"),
        ("blocks: " + "9" * 5000, "a value cannot be read"),
        ("name: a\n---\nname: b\n", "YAML syntax"),
        ("name: !!python/object:os.system x", "YAML syntax"),
        ("name: a\x07b", "YAML syntax: special characters are not allowed"),
        ("# " + "x" * 2**20, "the file is larger than 1 MiB"),
    ],
)
def test_file_that_would_overwhelm_its_reader_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says) as caught:
        scenario.load(write(tmp_path, text))
    assert len(str(caught.value)) < 1000


def test_alias_in_a_file_is_accepted(tmp_path: Path) -> None:
    text = GOOD.replace("baseline: host", "baseline: *b").replace("- host", "- &b host")
    assert scenario.load(write(tmp_path, text))[0].baseline == "host"


def test_file_with_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert scenario.load(write(tmp_path, f"\ufeff{GOOD}"))[0].name == "mine"


def test_scenario_file_of_any_name_is_found(tmp_path: Path) -> None:
    for name in ("a b.yaml", "a:b$HOME.yaml", "a%20'\".yaml", "größe\\.yml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
        assert scenario.load(scenario.find(str(tmp_path / name)))[0].name == "mine"
