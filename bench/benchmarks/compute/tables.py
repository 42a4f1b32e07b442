"""The tables of ``compute``: one row a target, one column a kind of work."""

from __future__ import annotations

from bench.core.model import ParamValue, Summary
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid, interval_text, ratio_text

CALL = "compute.syscall_s"
_WORK = (
    ("compute.rounds_per_s", "fixed computation"),
    ("compute.cpu_events_per_s", "sysbench cpu"),
    ("compute.memory_bytes_per_s", "sysbench memory"),
)
_CALLS = ("getpid", "read", "open", "futex")
Work = tuple[str, dict[str, ParamValue], str]


def tables(data: ScenarioData) -> list[Grid]:
    """Return the speeds, then the times of system calls."""
    columns = works(data)
    speeds, calls = ([item for item in columns if (item[0] == CALL) == wanted] for wanted in (False, True))
    brief = data.columns is not None
    return cells.filled(
        [_grid(data, "Speed", speeds, brief=brief), _grid(data, "Time of one system call", calls, brief=brief)]
    )


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("compute."))


def works(data: ScenarioData) -> list[Work]:
    """Return the kinds of work that have values: metric, params in addition to the variant's, and title."""
    present = {item.metric for item in data.summaries if item.median is not None}
    found: list[Work] = [(metric, {}, title) for metric, title in _WORK if metric in present]
    calls = lookup.in_order(map(str, lookup.param_values(data, CALL, "syscall")), _CALLS)
    return found + [(CALL, {"syscall": name}, name) for name in calls]


def summary(data: ScenarioData, row: Variant, work: Work) -> Summary | None:
    """Return a variant's series of one kind of work."""
    return data.summary(row, work[0], **work[1])


def _grid(data: ScenarioData, title: str, columns: list[Work], *, brief: bool) -> Grid:
    heads = [*(Column(name, f"× {data.baseline}" + ("" if brief else f" ({cells.CI})")) for *_, name in columns)]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked if columns else ():
        found = [summary(data, row, work) for work in columns]
        main = cells.first(found)
        rows.append(
            (row, [*(_cell(one, data.baseline, brief=brief) for one in found), *table.counts_of(data, row, main)])
        )
    return cells.grid(title, [*heads, *cells.COUNTS], rows)


def _cell(found: Summary | None, baseline: str, *, brief: bool) -> Cell:
    """Write the median with the ratio to the baseline under it."""
    if found is None or found.median is None:
        return Cell(NONE)
    text = cells.plain(found).text
    if found.target == baseline:
        return Cell(text, "baseline")
    if found.ratio is None:
        return Cell(text)
    interval = interval_text(found.ratio_ci, "ratio")
    return Cell(text, ratio_text(found.ratio) + (f" ({interval})" if interval and not brief else ""))
