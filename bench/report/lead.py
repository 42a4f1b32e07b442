"""The first words of a report: the main finding with its largest restriction, the host, what was compared, how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench import benchmarks
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, NULL, SENTINEL, Status
from bench.core.units import format_value
from bench.display import prose
from bench.display.data import RunData, ScenarioData
from bench.report import sections
from bench.report.board import Board, Column, Kind, Row


@dataclass(frozen=True)
class Part:
    """Some words of a sentence, and whether they are what to remember of it."""

    text: str
    strong: bool = False


Words = tuple[Part, ...]


def plain(words: Words) -> str:
    """Return the words without emphasis."""
    return "".join(part.text for part in words)


def sentence(data: RunData, board: Board | None) -> Words:
    """Return the main finding in one sentence; without a leading question, that of the first scenario."""
    if board and board.columns[0].question.verb and board.base.cells[0].found:
        return _finding(data, board)
    measured = next((one for one in data.scenarios if not one.points.empty), None)
    return _first(data, measured) if measured else (Part(sections.NOTHING),)


def _first(data: RunData, scenario: ScenarioData) -> Words:
    """Return the finding of a scenario, with what restricts it most."""
    mine = [row for row in scenario.summaries if row.metric in scenario.primary and row.target != SENTINEL]
    hint = prose.restriction(mine)
    hint = f"; {hint[:1].lower()}{hint[1:]}" if hint else ""
    guest = f"; all of it in the guest {data.inside}, not on the host" if data.inside else ""
    title = str(scenario.meta.get("title") or scenario.name)
    return (Part(title, strong=True), Part(f" – {benchmarks.finding(scenario)}{guest or hint}."))


def _finding(data: RunData, board: Board) -> Words:
    verb = board.columns[0].question.verb
    rows = [row for row in board.rows if row.cells[0].found]
    containers = [row for row in rows if row.kind == "container" and not row.emulated]
    others = containers or [row for row in rows if row.kind == "process"]
    machines = [row for row in rows if row.kind == "machine"]
    words = [Part(f"{_subject(board.base)} {verb} "), Part(_value(board.base), strong=True)]
    after = verb.rpartition(" ")[2]
    if others:
        words += [Part(f", {'a container' if containers else 'an isolated process'} {after} "), *_span(others)]
    real, slow = [row for row in machines if not row.emulated], [row for row in machines if row.emulated]
    if real:
        words += [Part(f", a virtual machine {after} "), *_span(real)]
    if slow and not data.inside:
        one = len(slow) == 1
        words += [Part(f"; {'the virtual machine' if one else 'virtual machines'} took "), *_span(slow)]
        words += [Part(f", but {'it is' if one else 'they are'} "), Part("emulated", strong=True)]
        words += [Part(" here, so nothing is said about KVM")]
    return (*words, Part(f"{_restriction(data, board)}."))


def _subject(row: Row) -> str:
    return f"A {row.title.lower()}" if row.kind == "process" else row.title


def _value(row: Row) -> str:
    found = row.cells[0].found
    return format_value(found.median, found.unit) if found else ""


def _span(rows: Sequence[Row]) -> list[Part]:
    """Write the least and the greatest value of the first column with their targets."""
    ordered = sorted(rows, key=lambda row: prose.median_of(row.cells[0].found) if row.cells[0].found else 0.0)
    first, last = ordered[0], ordered[-1]
    words = [Part(_value(first), strong=True), Part(f" ({_name(first)})")]
    if last is not first:
        words += [Part(" to "), Part(_value(last), strong=True), Part(f" ({_name(last)})")]
    return words


def _name(row: Row) -> str:
    options = [option for option in row.target.partition(":")[2].split(",") if option not in ("", "accel=tcg")]
    if row.kind == "machine" and options:
        return ", ".join(options)
    return ", ".join([row.title, *options])


def _restriction(data: RunData, board: Board) -> str:
    """Return what restricts the finding most; empty if nothing does."""
    if data.inside:
        return f"; all of it in the guest {data.inside}, not on the host"
    cells = [row.cells[0] for row in (board.base, *board.rows)]
    if any(cell.found and not cell.decided for cell in cells):
        fewest = min(cell.found.n for cell in cells if cell.found)
        return f"; a hint only: {prose.plural(fewest, 'block')}, too few for an interval"
    control = board.control.cells[0] if board.control else None
    if control and control.times and control.times.sure and not control.exact:
        return "; the same process measured twice differs, so do not trust small differences"
    return ""


def facts(data: RunData, board: Board | None) -> list[tuple[str, Words]]:
    """Return the host, what was compared, and how sure the numbers are."""
    return [("Host", _host(data)), ("Compared", _compared(data, board)), ("Certainty", _certainty(data, board))]


def _host(data: RunData) -> Words:
    known = {str(name): str(value) for name, value in data.meta.get("facts", {}).items()}
    words = [Part(data.host, strong=True)]
    if count := known.get("cpu.count"):
        words += [Part(": "), Part(prose.plural(float(count), "CPU"), strong=True)]
        words += [Part(f" ({known['cpu.model']})")] if "cpu.model" in known else []
    words += [Part(f", {memory}")] if (memory := _memory(known.get("memory.total", ""))) else []
    words += [Part(f", {known['os']}")] if "os" in known else []
    words += [Part(f", Linux {known['kernel'].split()[0]}")] if known.get("kernel") else []
    if known.get("hypervisor", "none") not in ("none", "unknown"):
        words += [Part("; "), Part("itself a virtual machine", strong=True)]
        words += [Part(", and KVM does not work in it")] if _no_kvm(data) else []
    return (*words, Part("."))


def _memory(text: str) -> str:
    number, _, unit = text.partition(" ")
    return format_value(float(number) * 2**20, "bytes") if unit == "MiB" and number.isdigit() else text


def _no_kvm(data: RunData) -> bool:
    return any("accel_trial" in known for known in data.meta.get("engines", {}).values())


def _compared(data: RunData, board: Board | None) -> Words:
    targets = {row.target for one in data.scenarios for row in one.variants} - {NULL, SENTINEL}
    scenarios = prose.plural(len(data.scenarios), "scenario")
    first = [
        Part(prose.plural(len(targets), "target"), strong=True),
        Part(f" in {scenarios}, the same small program in each"),
    ]
    if board and board.columns[0].question.verb:
        first = [Part("The same small program, started in "), Part(f"{len(board.rows) + 1} ways", strong=True)]
        first += [Part(f"; {scenarios}")]
    return (
        *first,
        Part(f". {sections.when(data)}{_minutes(data)}, "),
        Part(sections.command(data), strong=True),
        Part("."),
    )


def _minutes(data: RunData) -> str:
    try:
        begin, end = (datetime.fromisoformat(str(data.meta[name])) for name in ("started_at", "finished_at"))
    except (KeyError, ValueError):
        return ""
    return f", {prose.plural(max(1, round((end - begin).total_seconds() / 60)), 'minute')}"


def _certainty(data: RunData, board: Board | None) -> Words:
    counted = data.outcomes["status"].value_counts()
    failed = sum(int(counted.get(status, 0)) for status in FAILED_STATUSES)
    ended = f"{prose.plural(len(data.outcomes), 'invocation')}: {failed or 'none'} failed"
    left = int(counted.get(Status.SKIPPED, 0))
    ended += f", {left} not applicable" if left else ""
    return (*(_intervals(board) if board else []), Part(f"{ended}."))


def sureness(item: ScenarioData) -> str:
    """Say in two words how sure the primary numbers of a scenario are: ``6 blocks``, ``exact`` or ``1 block: a hint``."""
    mine = [
        row for row in item.summaries if row.metric in item.primary and row.target not in (NULL, SENTINEL) and row.n
    ]
    if not mine:
        return "no value"
    if all(row.metric in METRICS and METRICS[row.metric].exact for row in mine):
        return "exact"
    blocks = prose.plural(min(row.n for row in mine), "block")
    return blocks if all(prose.is_decided(row) for row in mine) else f"{blocks}: a hint"


def _intervals(board: Board) -> list[Part]:
    sure = [column for place, column in enumerate(board.columns) if _decided(board, place)]
    hints = [column for column in board.columns if column not in sure]
    if not hints:
        return [Part(f"Intervals from {_blocks(board, sure)}", strong=True), Part(" for every question. ")]
    few = f"hints from {_blocks(board, hints)}, no interval"
    if not sure:
        return [Part(f"Only {few}", strong=True), Part(". ")]
    places = [place for place, column in enumerate(board.columns) if column in sure]
    exact = all(cell.exact for row in board.rows for place in places if (cell := row.cells[place]).found)
    return [Part(f"{'Exact' if exact else 'Intervals'}: {_titles(sure)}.", strong=True), Part(f" All else: {few}. ")]


def _decided(board: Board, place: int) -> bool:
    cells = [row.cells[place] for row in board.rows]
    shown = [cell for cell in cells if cell.kind in (Kind.RATIO, Kind.ALONE, Kind.BOUND)]
    return all(cell.decided for cell in shown)


def _blocks(board: Board, columns: Iterable[Column]) -> str:
    mine = set(map(id, columns))
    counts = {
        cell.found.n
        for row in board.rows
        for column, cell in zip(board.columns, row.cells, strict=True)
        if id(column) in mine and cell.found and not cell.exact
    }
    if not counts:
        return "1 block"
    return prose.plural(min(counts), "block") if len(counts) == 1 else f"{min(counts)} to {max(counts)} blocks"


def _titles(columns: Sequence[Column]) -> str:
    return prose.joined([column.question.title for column in columns], 5)
