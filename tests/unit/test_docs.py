"""Tests of the documentation: commands exist, links resolve, and the example is the real output."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bench import store
from bench.cli import _COMMANDS
from bench.report import collect, contents, screen, terminal

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
COMMAND = re.compile(r"^\s*tare ([a-z]+)", re.MULTILINE)
INLINE = re.compile(r"`tare ([a-z]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_named_in_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "README.md":
        text = text.split("## What is measured today")[0]
    named = set(COMMAND.findall(text)) | set(INLINE.findall(text))
    assert named <= set(_COMMANDS)


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"tare {command}" in text for command in _COMMANDS if command != "schema")
    assert "'tare schema'" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_relative_links_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


def test_readme_example_equals_the_output_for_the_sample_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- output of: tare show sample --scenario startup -->\n")[1].split("\n\n![")[0]
    shown = [line.strip() for line in block.splitlines() if line.strip()]
    console = Console(width=100, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(terminal.show(collect(store.load(ROOT / "results/sample")), "startup", 100))
    printed = [line.strip() for line in capture.get().splitlines() if line.strip()]
    assert shown == printed[: len(shown)]
    assert len(shown) > 15


def test_readme_screen_equals_the_output_for_the_sample_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- output of: tare show sample -->\n")[1].split("\n\nAnd these")[0]
    lines = [line.text for line in screen.screen(collect(store.load(ROOT / "results/sample")), 80, [""] * 2)]
    assert [line.removeprefix("    ") for line in block.splitlines()][:-2] == [line.rstrip() for line in lines[:-2]]


def test_sample_run_is_complete_and_its_report_is_up_to_date() -> None:
    run = store.load(ROOT / "results/sample")
    assert run.warnings == ()
    assert len(store.outcomes(run)) == len(store.plan(run))
    made = contents([collect(run)])
    assert (ROOT / "reports/sample/summary.csv").read_text(encoding="utf-8") == made["summary.csv"]
    assert (ROOT / "reports/sample/report.md").read_text(encoding="utf-8") == made["report.md"]
    assert set(made) == {path.name for path in (ROOT / "reports/sample").iterdir()}
