"""One screen about a run: what was measured, one finding a scenario, doubts, what is undecided, where the report is."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from bench import benchmarks
from bench.core.model import NULL, SENTINEL, Status
from bench.display import prose
from bench.display.data import RunData, ScenarioData
from bench.display.wording import checks
from bench.report import sections
from bench.stats.findings import Answer, CheckName

LINES = 38
"""Lines of the whole screen, at the most."""

_DOUBTS = 4
"""Doubts and warnings that are shown; the others are counted."""
_NAMES = 2
"""Lines for the names of the scenarios whose findings have no room."""
_FEW, _WHOLE = 4, 8
"""A run of so few scenarios is told in whole sentences, in so many lines each at most."""
_NO_BREAK = "\u00a0"
_BETWEEN = re.compile(r", (?![^\[(]*[\])])")
"""What separates the items of a list, but not the ends of an interval nor the words in brackets."""
_MORE = re.compile(r"(\d+) more")


@dataclass(frozen=True)
class Line:
    """One line, and what kind it is: ``title``, ``text`` or ``doubt``."""

    text: str
    kind: str = "text"


def screen(data: RunData, width: int, ending: Sequence[str] = ()) -> list[Line]:
    """Return the lines, each at most ``width`` characters: with ``ending`` below them, and last what could not be measured."""
    above = [Line(text, "title" if number == 0 else "text") for number, text in enumerate(_head(data, width))]
    below = [*_doubts(data, width), *(Line(text) for text in _open(data, width))]
    below = [Line(""), *below, *(Line(text) for text in [*ending, *_coverage(data, width)])]
    return [*above, *_findings(data, width, LINES - len(above) - len(below)), *below]


def _head(data: RunData, width: int) -> list[str]:
    known = data.meta.get("facts", {})
    host = [str(known[name]) for name in ("os", "cpu.model") if name in known]
    host += [f"{known['cpu.count']} CPUs"] if "cpu.count" in known else []
    host += [f"kernel {str(known['kernel']).split()[0]}"] if known.get("kernel") else []
    scenarios = prose.plural(len(data.scenarios), "scenario")
    if len(data.scenarios) == 1:
        scenarios = str(data.scenarios[0].meta.get("title") or data.scenarios[0].name)
    return [
        *_fitted(f"Run {data.run.run_id} on {data.host}, {sections.when(data)}", width, 1),
        *(_fitted(", ".join(host), width, 1) if host else []),
        *(_fitted(sections.in_guest(data), width, 2) if data.inside else []),
        *_fitted(f"{scenarios}, {_ended(data)}", width, 1),
        *_fitted("Medians over blocks [95 % interval]; in a block every target is measured once", width, 1),
    ]


def _ended(data: RunData) -> str:
    """Count the invocations by how they ended: ``213 invocations: 210 measured, 3 not applicable, none failed``."""
    counted = data.outcomes["status"].value_counts()
    measured, skipped = int(counted.get(Status.OK, 0)), int(counted.get(Status.SKIPPED, 0))
    disturbed = int(counted.get(Status.DISTURBED, 0))
    failed = len(data.outcomes) - measured - skipped - disturbed
    parts = [f"{measured} measured", *([f"{skipped} not applicable"] if skipped else [])]
    parts += [*([f"{disturbed} disturbed"] if disturbed else []), f"{failed or 'none'} failed"]
    return f"{prose.plural(len(data.outcomes), 'invocation')}: {', '.join(parts)}"


def _findings(data: RunData, width: int, room: int) -> list[Line]:
    """Return one finding a scenario: first those with intervals, then the hints."""
    measured = [item for item in data.scenarios if not item.points.empty]
    if not measured:
        return [Line(""), Line(sections.NOTHING)]
    sure = [item for item in measured if _is_sure(item)]
    hints = [item for item in measured if item not in sure]
    groups = [("Measured, with intervals or as exact counts", sure), (_hints(hints), hints)]
    shown = [(title, items) for title, items in groups if items]
    room -= 2 * len(shown)
    kept = len(measured) if len(measured) <= room else max(room - _NAMES, 1)
    spare, lines, names = room - len(measured), [], list[str]()
    for title, items in shown:
        lines += [Line(""), Line(_fitted(title, width, 1)[0], "title")]
        for item in items:
            if not kept:
                names.append(item.name)
                continue
            whole = len(measured) <= _FEW
            told = _finding(item, measured, width, min(1 + max(spare, 0), _WHOLE if whole else 2), whole=whole)
            kept, spare = kept - 1, spare - len(told) + 1
            lines += [Line(text) for text in told]
    return [*lines, *(Line(text) for text in (_fitted(_others(names), width, _NAMES) if names else []))]


def _others(names: Sequence[str]) -> str:
    return f"Also measured: {', '.join(names)}"


def _finding(
    item: ScenarioData, among: Sequence[ScenarioData], width: int, most: int, *, whole: bool = False
) -> list[str]:
    """Return a scenario's finding with its name before it; with ``whole``, all that its words say."""
    column = min(max(len(one.name) for one in among), width // 3)
    name = item.name if len(item.name) <= column else f"{item.name[: column - 1]}…"
    text = item.headline if whole and item.headline else benchmarks.finding(item).rstrip(".")
    lines = _fitted(_shortened(text, width - column - 4, most), width - column - 4, most)
    return [f"  {name if number == 0 else '':<{column}}  {line}" for number, line in enumerate(lines)]


def _shortened(text: str, width: int, most: int) -> str:
    """Leave out whole items at the end of a list that does not fit into ``most`` lines, and count them: ``…, 3 more``."""
    *items, last = _BETWEEN.split(text)
    counted = _MORE.fullmatch(last)
    dropped = int(counted[1]) if counted else 0
    items += [] if counted else [last]
    for kept in range(len(items), 0, -1):
        more = dropped + len(items) - kept
        shown = ", ".join([*items[:kept], *([f"{more} more"] if more else [])])
        if len(textwrap.wrap(_glued(shown), width, break_on_hyphens=False)) <= most:
            return shown
    return text


def _is_sure(item: ScenarioData) -> bool:
    """Say whether most primary numbers have an interval or are free of noise."""
    mine = [row for row in item.summaries if row.metric in item.primary and row.target != SENTINEL and row.n]
    return prose.mostly_decided(mine)


def _hints(hints: Sequence[ScenarioData]) -> str:
    blocks = sorted({row.n for item in hints for row in item.summaries if row.n})
    few = prose.plural(blocks[0], "block") if blocks else "no block"
    return f"Hints only ({few}, too few for an interval; no order is decided)"


def _doubts(data: RunData, width: int) -> list[Line]:
    found = [f"{item.title}: {item.sentence}" for item in sections.verdicts(data) if item.answer is Answer.DOUBT]
    found = [*data.run.warnings, *found]
    if not found:
        return [Line("No check raised a doubt.")]
    told = [line for text in found[:_DOUBTS] for line in _fitted(f"! {text}", width, 2 if len(found) < _DOUBTS else 1)]
    more = [f"! and {prose.plural(len(found) - _DOUBTS, 'more doubt')}"] if len(found) > _DOUBTS else []
    return [Line(text, "doubt") for text in [*told, *more]]


def _open(data: RunData, width: int) -> list[str]:
    """Say how many checks are undecided and what would decide them."""
    unknown = [check for check in data.checks if check.answer is Answer.UNDECIDED]
    undecided = [check for check in unknown if check.name is not CheckName.DISTURBED]
    lines = [
        line
        for one in unknown
        if one not in undecided
        for line in _fitted(f"{one.scenario}: {checks.sentence(one)}", width, 2)
    ]
    if undecided:
        needed = max(map(checks.needed_blocks, undecided))
        told = f"Undecided: {len(undecided)} of {len(data.checks)} checks have too few blocks"
        told += f"; {needed} blocks decide them: {sections.command(data, blocks=needed)}" if needed else ""
        lines += _fitted(told, width, 2)
    return lines


def _coverage(data: RunData, width: int) -> list[str]:
    """Say what was measured and what could not be; nothing when all could."""
    if not data.skipped:
        return []
    done = set(data.outcomes.loc[data.outcomes["status"] == Status.OK, "target"])
    targets = dict.fromkeys(row.target for item in data.scenarios for row in item.variants if row.target in done)
    names = [name for name in targets if name not in (NULL, SENTINEL)]
    skipped = list(dict.fromkeys(item.target for item in data.skipped if item.target not in done))
    scenarios = [
        one for one in dict.fromkeys(item.scenario for item in data.skipped) if one not in data.run.meta["scenarios"]
    ]
    told = f"Measured here: {prose.joined(names, 4) or 'nothing'}"
    told += f"; not {prose.joined(skipped, 4)}" if skipped else ""
    told += f"; left out: {prose.joined(scenarios, 4)}" if scenarios else ""
    return _fitted(f"{told}; 'tare doctor' says why", width, 4)


def _fitted(text: str, width: int, most: int) -> list[str]:
    """Break a text into at most ``most`` lines; what does not fit is cut with an ellipsis."""
    lines = textwrap.wrap(_glued(text), width, break_on_hyphens=False)
    if len(lines) > most:
        last = lines[most - 1]
        kept = last if len(last) + 2 <= width else last.rpartition(" ")[0]
        lines = [*lines[: most - 1], f"{kept.rstrip(',;')} …"]
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]


def _glued(text: str) -> str:
    """Keep a number, its unit and its interval on one line."""
    plain = re.sub(r"\s+", " ", text)
    plain = re.sub(r"(?<=\d) (?=[^\W\d]|%|\[)|(?<=[^\W\d]) (?=\[)", _NO_BREAK, plain)
    return re.sub(r"(?<=\d), (?=[−\d.]+\])", f",{_NO_BREAK}", plain)
