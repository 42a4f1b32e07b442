"""The scoreboard of a run: a row a target, a column a question, each cell the cost in multiples of the bare process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench import benchmarks
from bench.benchmarks.base import Question
from bench.core.errors import UsageError
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, NULL, SENTINEL, ParamValue, Status, Summary
from bench.display import lookup, paired
from bench.display.data import RunData, ScenarioData, Variant, evidence_counts, params_key, sortable
from bench.display.names import title_of
from bench.stats.pairs import Times


class Kind(StrEnum):
    """What a cell holds: the value that is 1×, a multiple of it, a value or a lower bound without one, or why there is none."""

    BASE = "base"
    RATIO = "ratio"
    ALONE = "alone"
    BOUND = "bound"
    ABSENT = "absent"
    IMPOSSIBLE = "impossible"
    FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One target's answer to one question.

    Attributes:
        kind: What it holds.
        target: The target that was measured; empty if none was.
        found: Its series, with a median, unless ``kind`` says that there is none.
        times: Cost in multiples of the baseline: rates are inverted, so that more is worse.
        reason: Why there is no number.
        tried: Failed and attempted invocations of a cell that failed.
    """

    kind: Kind
    target: str = ""
    found: Summary | None = None
    times: Times | None = None
    reason: str = ""
    tried: tuple[int, int] = (0, 0)

    @property
    def exact(self) -> bool:
        """Whether the number is free of noise."""
        return bool(self.found and self.found.metric in METRICS and METRICS[self.found.metric].exact)

    @property
    def decided(self) -> bool:
        """Whether it is more than a hint: there is an interval, or no noise."""
        return self.exact or bool(self.times.ci if self.times else self.found and self.found.ci)


@dataclass(frozen=True)
class Column:
    """One question, the scenario that answers it, and the parameters that its series have, as JSON text."""

    question: Question
    data: ScenarioData
    params: str

    def variant(self, target: str) -> Variant:
        """Return the row of the scenario's data that answers the question for a target."""
        return Variant(target, self.params, target.partition(":")[0])

    def summary(self, target: str) -> Summary | None:
        """Return the series of a target; ``None`` without a value."""
        found = self.data.summary(self.variant(target), self.question.metric)
        return found if found and found.median is not None else None

    @property
    def targets(self) -> list[str]:
        """The targets of the scenario, in its order, without the controls."""
        return list(dict.fromkeys(row.target for row in self.data.invoked if row.target not in (NULL, SENTINEL)))


@dataclass(frozen=True)
class Row:
    """One target: its name for people, what it is, and its cells in the order of the columns."""

    target: str
    title: str
    kind: str
    emulated: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Board:
    """The columns; the row that is 1×, the A/A control (``None`` if it did not run), and the others by the first column."""

    columns: tuple[Column, ...]
    base: Row
    control: Row | None
    rows: tuple[Row, ...]

    @property
    def every(self) -> tuple[Row, ...]:
        """All rows in display order."""
        return (self.base, *([self.control] if self.control else []), *self.rows)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Heading and number of columns of each group."""
        names = [column.question.group for column in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]


def board(data: RunData) -> Board | None:
    """Return the scoreboard; ``None`` if no question of any benchmark was answered."""
    columns = _columns(data)
    if not columns:
        return None
    base = _base(columns)
    targets = _targets(columns, base)
    rows = [_row(data, columns, target, targets, base) for target in targets if target != base]
    rows = [row for row in rows if any(cell.found or cell.kind is Kind.FAILED for cell in row.cells)]
    rows.sort(key=lambda row: next((cell.times.ratio for cell in row.cells[:1] if cell.times), float("inf")))
    control = _row(data, columns, NULL, [*targets, NULL], base)
    known = any(cell.found for cell in control.cells)
    return Board(columns, _row(data, columns, base, targets, base), control if known else None, tuple(rows))


def emulated(data: RunData, target: str) -> bool:
    """Say whether a target's machine was emulated, by its name or by what was read back from it."""
    named = "accel=tcg" in target or "tcg" in data.inside
    return named or "tcg" in evidence_counts(data.outcomes, target).get("accelerator", {})


def measured_for(row: str, candidates: Sequence[str], rows: Sequence[str]) -> str:
    """Return the target of a scenario that stands for a row: the same, else the first with further options; empty without one."""
    if row in candidates:
        return row
    return next((one for one in candidates if _row_of(one, rows) == row), "")


def _row_of(target: str, rows: Sequence[str]) -> str:
    """Return the row of a target: the same, else that of the engine with most of its options and no other; empty without one."""
    if target in rows:
        return target
    engine, own = _parts(target)
    alike = [row for row in rows if _parts(row)[0] == engine and _parts(row)[1] <= own]
    return max(alike, key=lambda row: len(_parts(row)[1]), default="")


def _parts(target: str) -> tuple[str, set[str]]:
    engine, _, options = target.partition(":")
    return engine, {option for option in options.split(",") if option}


def _columns(data: RunData) -> tuple[Column, ...]:
    """Return the answered questions: the leading one first, then groups of questions in the order of the run."""
    found: dict[tuple[str, str], Column] = {}
    for scenario in data.scenarios:
        for question in _questions(scenario.benchmark):
            params = _params(scenario, question)
            if params is not None:
                found.setdefault((scenario.benchmark, question.title), Column(question, scenario, params))
    made = sorted(found.values(), key=lambda column: not column.question.verb)
    groups = list(dict.fromkeys(column.question.group for column in made))
    return tuple(sorted(made, key=lambda column: groups.index(column.question.group)))


def _questions(benchmark: str) -> tuple[Question, ...]:
    try:
        return benchmarks.get(benchmark).questions
    except UsageError:
        return ()


def _params(data: ScenarioData, question: Question) -> str | None:
    """Return the parameters with which most targets answer a question; of several the largest, else the first."""
    asked: dict[str, set[str]] = {}
    for one in data.summaries:
        if one.metric == question.metric and one.median is not None and _fits(data, one.params, question):
            asked.setdefault(params_key(one.params), set()).add(one.target)
    if not asked:
        return None
    most = max(len(targets) for targets in asked.values())
    kept = [params for params, targets in asked.items() if len(targets) == most]
    return (
        max(kept, key=lambda text: sortable(json.loads(text).get(question.largest, 0))) if question.largest else kept[0]
    )


def _fits(data: ScenarioData, params: object, question: Question) -> bool:
    given = dict(params) if isinstance(params, dict) else {}
    return all(given.get(name, _in_force(data, name)) == value for name, value in question.where.items())


def _in_force(data: ScenarioData, name: str) -> ParamValue | None:
    """Return the value of a parameter that no series names: the one in force, else the benchmark's default."""
    known = data.meta.get("parameters", {}).get(name)
    if known:
        return known[0]  # type: ignore[no-any-return] # run.json is checked as it is read
    default = benchmarks.get(data.benchmark).params.get(name)
    return default.default if default else None


def _base(columns: Sequence[Column]) -> str:
    """Return the row that is 1×: of the baselines of the first one's engine the one with the fewest options."""
    return min(_baselines(columns), key=lambda target: len(_parts(target)[1]))


def _baselines(columns: Sequence[Column]) -> list[str]:
    """Return the baselines of the columns that are of the first one's engine: each column's own is its 1×."""
    engine = _parts(columns[0].data.baseline)[0]
    found = [column.data.baseline for column in columns if _parts(column.data.baseline)[0] == engine]
    return list(dict.fromkeys(found))


def _targets(columns: Sequence[Column], base: str) -> list[str]:
    """Return the rows: the baseline, the targets of the first column, then those that none of these stands for."""
    alike = _baselines(columns)
    rows = [base, *(target for target in columns[0].targets if target not in alike)]
    for column in columns[1:]:
        rows += [target for target in column.targets if target not in alike and not _row_of(target, rows)]
    return rows


def _row(data: RunData, columns: Sequence[Column], target: str, rows: Sequence[str], base: str) -> Row:
    title = "The same again" if target == NULL else title_of(target)
    cells = tuple(_cell(data, column, target, rows, base) for column in columns)
    kind = next((cell.found.kind for cell in cells if cell.found and cell.found.kind), "")
    return Row(target, title, kind, emulated(data, target), cells)


def _cell(data: RunData, column: Column, row: str, rows: Sequence[str], base: str) -> Cell:
    comparable = _parts(column.data.baseline)[0] == _parts(base)[0]
    others = [target for target in column.targets if not (comparable and target == column.data.baseline)]
    target = column.data.baseline if comparable and row == base else measured_for(row, [*others, NULL], rows)
    found = column.summary(target) if target else None
    if found is None:
        return _missing(data, column, target or row)
    if _is_bound(column, target):
        return Cell(Kind.BOUND, target, found)
    if target == column.data.baseline:
        return Cell(Kind.BASE if row == base else Kind.ALONE, target, found)
    what = paired.Quantity(column.question.metric, {}, column.question.title)
    times = paired.cost_to_baseline(column.data, column.variant(target), what) if comparable else None
    return Cell(Kind.RATIO if times else Kind.ALONE, target, found, times)


def _is_bound(column: Column, target: str) -> bool:
    """Say whether the notes of the invocations make the number a lower bound."""
    if not column.question.open_end:
        return False
    note, text = column.question.open_end
    return lookup.most_frequent(lookup.notes_of(column.data, column.variant(target)).get(note)) == text


def _missing(data: RunData, column: Column, target: str) -> Cell:
    """Return a cell without a number, and why: not available, not applicable, failed, without a value, or not asked for."""
    name = column.data.name
    absent = [one for one in data.skipped if one.target == target and one.scenario == name]
    if absent:
        return Cell(Kind.ABSENT, reason=f"not measured: {absent[0].reason}; {absent[0].remedy}")
    every = column.data.outcomes
    mine = every[(every["target"] == target) & ~every["warmup"].astype(bool)]
    failed = mine[mine["status"].isin(FAILED_STATUSES)]
    if len(failed):
        return Cell(Kind.FAILED, target, reason=str(failed["reason"].iloc[0]), tried=(len(failed), len(mine)))
    skipped = mine[mine["status"] == Status.SKIPPED]
    if len(skipped):
        return Cell(Kind.IMPOSSIBLE, target, reason=f"not applicable: {skipped['reason'].iloc[0]}")
    if len(mine):
        return Cell(Kind.IMPOSSIBLE, target, reason="this target gives no such value")
    if target == NULL:
        return Cell(Kind.ABSENT, reason="this scenario ran without an A/A control")
    alike = [one for one in column.targets if one.partition(":")[0] == target.partition(":")[0]]
    only = f"measured only as {alike[0]}" if alike and alike[0] != column.data.baseline else "not in this run"
    return Cell(Kind.ABSENT, reason=f"{only}: {command(column, [target])}")


def command(column: Column, targets: Iterable[str]) -> str:
    """Return the command line that asks a column's question of further targets, with as many blocks as an interval needs."""
    named = " ".join(f"-t {target}" for target in dict.fromkeys([column.data.baseline, *targets]))
    return f"tare run {column.data.name} {named} --blocks 6"
