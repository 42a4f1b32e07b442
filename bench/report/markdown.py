"""Write ``report.md``: the report as Markdown, short enough for a pull request, the most important first, details folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bench import benchmarks
from bench.claims import Verdict
from bench.display import paired
from bench.display.data import RunData, ScenarioData
from bench.display.svg import Plot
from bench.display.table import Grid
from bench.report import board, doubts, lead, method, sayings, scoreboard, sections, sides
from bench.report.sayings import Sayings
from bench.report.scoreboard import Around, Sheet

Figures = Mapping[tuple[str, str], Sequence[Plot]]
"""(run id, scenario) → its figures."""

MOST = 60_000
"""Characters of the whole file at the most: a comment of a pull request takes 65,536."""

_LONGEST = 1500
"""Characters of one text at the most; index.html has it whole."""

_LISTS = 0.25
"""Share of the room that is kept for the lists behind the numbers."""


@dataclass(frozen=True)
class Block:
    """A part of the file: what stands before it, its lines, and what stands after it. Lines are left out from its end."""

    before: tuple[str, ...]
    lines: tuple[str, ...]
    after: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Characters of the whole block."""
        return _length([*self.before, *self.lines, *self.after])

    def within(self, room: int) -> list[str]:
        """Return the lines that fit into ``room`` characters, with a remark on what was left out; none if that is too little."""
        left = room - _length([*self.before, *self.after])
        if _length(self.lines) <= left:
            return [*self.before, *self.lines, *self.after]
        left -= _REMARK
        kept: list[str] = []
        for line in self.lines:
            left -= len(line) + 1
            if left < 0:
                break
            kept.append(line)
        if not any(kept):
            return []
        remark = f"*Left out here for length: {len(self.lines) - len(kept)} more lines. index.html has them.*"
        return [*self.before, *kept, "", remark, "", *self.after]


_REMARK = 100
"""Characters that the remark on what was left out takes."""


def text(
    runs: Sequence[RunData], figures: Figures, judged: Mapping[str, Sequence[Verdict]] = MappingProxyType({})
) -> str:
    """Return the file's content, at most :data:`MOST` characters; ``judged`` is run id → what the run says about claims."""
    lines = [f"# {_escape(sections.title(runs))}", ""]
    for number, data in enumerate(runs):
        room = (MOST - _length(lines)) // (len(runs) - number)
        lines += _run(data, figures, judged.get(data.run.run_id, ()), room)
    return "\n".join(lines).rstrip("\n") + "\n"


def _run(data: RunData, figures: Figures, verdicts: Sequence[Verdict], room: int) -> list[str]:
    lines: list[str] = []
    for block in _front(data, verdicts):
        lines += block.within(room // 2 - _length(lines))
    details = [_scenario(one, figures.get((data.run.run_id, one.name), ())) for one in data.scenarios]
    kept = int((room - _length(lines)) * (1 - _LISTS))
    for block, share in zip(details, _shares([block.size for block in details], kept), strict=True):
        lines += block.within(share)
    for block in _lists(data):
        lines += block.within(room - _length(lines))
    return lines


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """Divide the room so that what is small gets all that it needs, and the others the same each."""
    found = dict.fromkeys(range(len(sizes)), 0)
    for number, place in enumerate(sorted(found, key=lambda place: sizes[place])):
        found[place] = min(sizes[place], room // (len(sizes) - number))
        room -= found[place]
    return list(found.values())


def _front(data: RunData, verdicts: Sequence[Verdict]) -> list[Block]:
    """Return what everybody should read: the finding, how sure it is, the scoreboard, doubts, and one finding a scenario."""
    found = board.board(data)
    around = Around(tuple(doubts.doubts(data, found, "the")), {item.name: "" for item in data.scenarios})
    head = [f"Run `{_code(data.run.run_id)}`, {sections.when(data)}, host {_escape(data.host)}.", ""]
    if said := sections.in_guest(data):
        head += [f"> **In a guest.** {_escape(said)}", ""]
    head += [f"**{_escape(lead.plain(lead.sentence(data, found)))}**", ""]
    head += [f"- {name}: {_escape(lead.plain(words))}" for name, words in lead.facts(data, found)] + [""]
    blocks = [Block((), (*head, *(f"> **Warning:** {_escape(warning)}\n" for warning in data.run.warnings)))]
    if found:
        note = f"Cost in multiples of the bare process: more is worse, rates are turned round. {paired.NOTE} {scoreboard.SIGNS}"
        blocks.append(_sheet("Scoreboard", scoreboard.sheet(found, around), note))
    if told := sayings.sayings(verdicts):
        blocks.append(_claims(told))
    blocks.append(_bullets("Doubts", [("! doubt", f"{one.title}: {one.sentence}") for one in around.doubts]))
    if unsure := doubts.undecided(data):
        blocks.append(Block((), (f"- **? undecided** {_escape(unsure)}", "")))
    if pairs := (sides.pairs(found) if found else None):
        blocks.append(_sheet("One against the other", scoreboard.pairs_sheet(pairs, around), paired.NOTE))
    return [*blocks, _findings(data)]


def _claims(told: Sayings) -> Block:
    rows = [(one.decision, one.says, f"{one.found}{f' ({one.why})' if one.why else ''}") for one in told.rows]
    heads = ("Verdict", "What is said", "What this run shows")
    return Block(("## Claims", "", f"{told.counts}. {told.corrected}", ""), (*_table(heads, rows), ""))


def _findings(data: RunData) -> Block:
    told = [
        (f"{one.meta.get('title') or one.name} ({lead.sureness(one)}):", one.headline)
        for one in data.scenarios
        if not one.points.empty
    ]
    return _bullets("Findings", told) if told else Block((), (sections.NOTHING, ""))


def _sheet(title: str, sheet: Sheet, note: str) -> Block:
    heads = ["Target" if sheet.groups else "Pair", *(head.title for head in sheet.heads)]
    rows = [[_name(line) + ", emulated" * line.emulated, *(_cell(cell) for cell in line.cells)] for line in sheet.lines]
    marks = ["---", *("---:" for _ in sheet.heads)]
    return Block((f"## {title}", "", note, ""), (*_table(heads, rows, marks), ""))


def _name(line: scoreboard.Line) -> str:
    told = line.detail if "÷" in line.name else line.target
    return f"{line.name} ({told})" if told and told != line.name else line.name


def _cell(shown: scoreboard.Shown) -> str:
    return shown.text + " !" * bool(shown.doubts) + " (hint)" * ("hint" in shown.style.split())


def _scenario(scenario: ScenarioData, plots: Sequence[Plot]) -> Block:
    title = _escape(str(scenario.meta.get("title") or scenario.name))
    lines: list[str] = []
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
    return Block(("<details>", f"<summary>{title}</summary>", ""), tuple(lines), ("</details>", ""))


def _grid(content: Grid) -> list[str]:
    marks = ["---:" if column.numeric else "---" for column in content.columns]
    rows = [[cell.line for cell in row] for row in content.rows]
    return _table([column.line for column in content.columns], rows, marks)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], marks: Sequence[str] = ()) -> list[str]:
    lines = [heads, list(marks) or ["---"] * len(heads)]
    shown = ["| " + " | ".join(_escape(cell) for cell in heads) + " |", "| " + " | ".join(lines[1]) + " |"]
    return shown + ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows]


def _lists(data: RunData) -> list[Block]:
    """Return what is behind the numbers: what is missing, the checks, how it was measured, then what ran where."""
    ended = ("Scenario", "Target", "How", "Blocks", "Reason")
    missing = (
        ("Not measured", ("Target", "Reason", "Remedy"), [(i.target, i.reason, i.remedy) for i in data.skipped]),
        ("Not applicable here", ended, [_ended(item) for item in sections.inapplicable(data)]),
        ("Failed invocations", ended, [_ended(item) for item in sections.failures(data)]),
        ("Flagged invocations", ended, [_ended(item) for item in sections.flags(data)]),
        ("Checks", ("Answer", "Check"), [(i.word, f"{i.title}: {i.sentence}") for i in sections.verdicts(data)]),
    )
    ran = [(i.target, " · ".join(f"{n} {v}" for n, v in i.items), i.verdict) for i in sections.evidence(data)]
    facts = [(fact.name, fact.value, "yes" if fact.epoch else "") for fact in sections.facts(data)]
    evidence = (
        ("The host", ("Fact", "Value", "Comparable only where equal"), facts),
        ("What really ran", ("Target", "Read back from the live instances", "Same in every invocation"), ran),
        ("Engines", ("Target", "Facts"), sections.engines(data)),
    )
    told = [f"- **{_escape(name)}.** {_escape(words)}" for name, words in method.paragraphs(data)]
    again = Block((), ("The same plan again:", "", f"    {_line(sections.command(data))[:_LONGEST]}", ""))
    first, last = (
        [_folded(title, _table(heads, rows)) for title, heads, rows in part if rows] for part in (missing, evidence)
    )
    return [again, *first, _folded("How it was measured", told), *last]


def _folded(title: str, lines: Sequence[str]) -> Block:
    return Block(("<details>", f"<summary>{title}</summary>", ""), (*lines, ""), ("</details>", ""))


def _ended(item: sections.Ended) -> tuple[str, ...]:
    return item.scenario, item.target, f"{item.status} {len(item.blocks)}×", ", ".join(item.blocks), item.reason


def _bullets(title: str, items: Sequence[tuple[str, str]]) -> Block:
    if not items:
        return Block((), ())
    return Block((f"## {title}", ""), (*(f"- **{_escape(word)}** {_escape(words)}" for word, words in items), ""))


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _escape(words: str) -> str:
    """Make text inert: no HTML, no links, no table or emphasis marks, one line."""
    short = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} …"
    plain = _line(short).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", plain)


def _line(words: str) -> str:
    return re.sub(r"\s+", " ", words)


def _code(words: str) -> str:
    return _line(words).replace("`", "")
