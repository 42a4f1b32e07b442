"""The command line: exit codes, error messages, and commands without side effects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import _COMMANDS, run
from bench.scenario import names


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: tare" in out
    assert "\\b" not in out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {command}" in out for command in _COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu"], "unknown command 'rnu', allowed: .*did you mean 'run'?"),
        (["run"], "name a scenario or a suite"),
        (["run", "quik"], "did you mean 'quick'?"),
        (["run", "quick", "-t", "dokcer"], "unknown engine 'dokcer'"),
        (["run", "quick", "-t", "docker:network=nine"], "unknown value of docker:network 'nine'"),
        (["run", "quick", "-p", "cache"], "'-p cache' is not KEY=VALUE"),
        (["run", "quick", "-p", "cache=tepid"], "unknown value of 'cache' 'tepid'"),
        (["run", "quick", "--blocks", "0"], "0 is not in the range"),
        (["run", "quick", "--tag", "x"], "'--tag x' is not KEY=VALUE"),
        (["run", "quick", "quick"], "asked for twice"),
        (["run", "/nonexistent.yaml"], "there is no file '/nonexistent.yaml'"),
        (["run", "quick", "--resume", "x"], "--resume continues the run's own plan"),
        (["run", "--resume", "x", "--results", "/nonexistent"], "no runs in '/nonexistent'"),
        (["show", "--results", "/nonexistent"], "no runs in '/nonexistent'; make one with 'tare run quick'"),
        (["export", "--format", "csv", "--results", "/nonexistent"], "no runs in"),
        (["list", "things"], "'things' is not one of"),
    ],
)
def test_bad_usage_prints_one_sentence_and_exits_with_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TARE_STATE", str(tmp_path / "state"))
    assert run(arguments) == 2
    captured = capsys.readouterr()
    for part in says.split(".*"):
        assert part in captured.err
    assert captured.err.startswith("tare: ")
    assert not list(tmp_path.iterdir()), "nothing was started, nothing was made"


def test_invalid_file_is_reported_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\nblocs: 3\n")
    assert run(["run", str(path)]) == 2
    assert f"tare: {path}:" in capsys.readouterr().err


def test_plan_is_reproducible_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = str(names()["startup"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TARE_STATE", str(tmp_path / "state"))
    assert run(["plan", startup, "--seed", "7", "--json", "--blocks", "2"]) == 0
    first = capsys.readouterr().out
    assert run(["plan", startup, "--seed", "7", "--json", "--blocks", "2"]) == 0
    assert capsys.readouterr().out == first
    items = json.loads(first)["invocations"]
    assert {item["block"] for item in items} == {0, 1, 2}
    assert [item["index"] for item in items] == list(range(len(items)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["targets", "scenarios", "suites", "metrics"])
def test_list_prints_text_or_json(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert run(["list", what, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [line.split()[0] for line in lines] == [row["name"] for row in rows]


def test_list_of_metrics_has_unit_direction_and_floor(capsys: pytest.CaptureFixture[str]) -> None:
    run(["list", "metrics", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert all({"name", "unit", "better", "floor", "min_effect", "exact"} <= set(row) for row in rows)


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert "oneOf" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_names_the_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_TARE_COMPLETE" in capsys.readouterr().out


def test_unexpected_exception_saves_its_trace_to_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bench.scenario.schema", broken)
    assert run(["schema"]) == 70
    said = capsys.readouterr().err
    path = Path(said.split("with the file ")[1].strip())
    assert "ZeroDivisionError" in path.read_text()
    path.unlink()


def test_sweep_with_nothing_to_remove_reports_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path))
    assert run(["sweep"]) == 0
    assert capsys.readouterr().out == "nothing to sweep\n"
