"""Write ``report.md``: the report as Markdown, with figures linked as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bench import benchmarks
from bench.display.data import RunData, ScenarioData
from bench.display.svg import Plot
from bench.display.table import Grid
from bench.report import method, sections

Figures = Mapping[tuple[str, str], Sequence[Plot]]
"""(run id, scenario) → its figures."""


def text(runs: Sequence[RunData], figures: Figures) -> str:
    """Return the file's content."""
    lines = [f"# {_escape(sections.title(runs))}", ""]
    for data in runs:
        lines += _run(data, figures)
    return "\n".join(lines).rstrip("\n") + "\n"


def _run(data: RunData, figures: Figures) -> list[str]:
    lines = [f"Run `{_code(data.run.run_id)}`, {sections.when(data)}, host {_escape(data.host)}.", ""]
    if said := sections.in_guest(data):
        lines += [f"> **In a guest.** {_escape(said)}", ""]
    for sentence in sections.headlines(data):
        lines += [f"**{_escape(sentence)}**", ""]
    lines += [f"> **Warning:** {_escape(warning)}\n" for warning in data.run.warnings]
    lines += _bullets("Checks", [(item.word, f"{item.title}: {item.sentence}") for item in sections.verdicts(data)])
    for scenario in data.scenarios:
        lines += _scenario(scenario, figures.get((data.run.run_id, scenario.name), ()))
    return lines + _lists(data) + _method(data)


def _scenario(scenario: ScenarioData, plots: Sequence[Plot]) -> list[str]:
    lines = [f"## {_escape(str(scenario.meta.get('title') or scenario.name))}", ""]
    if description := str(scenario.meta.get("description", "")):
        lines += [_escape(description), ""]
    tables = benchmarks.tables(scenario)
    for content in tables:
        lines += [f"**{_escape(content.title)}**", ""] * (len(tables) > 1) + [*_grid(content), ""]
        lines += [_escape(content.note), ""] * bool(content.note)
    below = benchmarks.notes(scenario)
    lines += [f"- {_escape(note)}" for note in below] + [""] * bool(below)
    for plot in plots:
        lines += [f"![{_escape(plot.title)}]({plot.name}.svg)", "", f"*{_escape(plot.caption)}*", ""]
    return lines


def _grid(content: Grid) -> list[str]:
    marks = ["---:" if column.numeric else "---" for column in content.columns]
    rows = [[cell.line for cell in row] for row in content.rows]
    return _table([column.line for column in content.columns], rows, marks)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], marks: Sequence[str] = ()) -> list[str]:
    lines = [heads, list(marks) or ["---"] * len(heads)]
    shown = ["| " + " | ".join(_escape(cell) for cell in heads) + " |", "| " + " | ".join(lines[1]) + " |"]
    return shown + ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows]


def _lists(data: RunData) -> list[str]:
    ended = ("Scenario", "Target", "How", "Blocks", "Reason")
    parts = (
        ("Not measured", ("Target", "Reason", "Remedy"), [(i.target, i.reason, i.remedy) for i in data.skipped]),
        ("Not applicable here", ended, [_ended(item) for item in sections.inapplicable(data)]),
        ("Failed invocations", ended, [_ended(item) for item in sections.failures(data)]),
        ("Flagged invocations", ended, [_ended(item) for item in sections.flags(data)]),
        (
            "What really ran",
            ("Target", "Read back from the live instances", "Same in every invocation"),
            [(i.target, " · ".join(f"{n} {v}" for n, v in i.items), i.verdict) for i in sections.evidence(data)],
        ),
        (
            "The host",
            ("Fact", "Value", "Comparable only where equal"),
            [(fact.name, fact.value, "yes" if fact.epoch else "") for fact in sections.facts(data)],
        ),
        ("Engines", ("Target", "Facts"), sections.engines(data)),
    )
    return [line for title, heads, rows in parts if rows for line in (f"### {title}", "", *_table(heads, rows), "")]


def _ended(item: sections.Ended) -> tuple[str, ...]:
    return item.scenario, item.target, f"{item.status} {len(item.blocks)}×", ", ".join(item.blocks), item.reason


def _method(data: RunData) -> list[str]:
    lines = _bullets("How it was measured", [(f"{name}.", words) for name, words in method.paragraphs(data)])
    return [*lines, "The same plan again:", "", f"    {_line(sections.command(data))}", ""]


def _bullets(title: str, items: Sequence[tuple[str, str]]) -> list[str]:
    if not items:
        return []
    return [f"### {title}", "", *(f"- **{_escape(word)}** {_escape(words)}" for word, words in items), ""]


def _escape(words: str) -> str:
    """Make text inert: no HTML, no links, no table or emphasis marks, one line."""
    plain = _line(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", plain)


def _line(words: str) -> str:
    return re.sub(r"\s+", " ", words)


def _code(words: str) -> str:
    return _line(words).replace("`", "")
