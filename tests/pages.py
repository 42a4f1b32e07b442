"""Synthetic runs for tests of reports, and helpers that find a scenario, a row, a table and its cells."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bench import benchmarks, report, store
from bench.core.model import Scenario
from bench.display.data import RunData, ScenarioData, Variant
from bench.display.table import Grid
from bench.report import terminal
from tests import synthetic_modes_shapes, synthetic_weights
from tests.fakes import FakeLab, executed
from tests.synthetic_modes import write_modes
from tests.synthetic_weights import write_weights


@dataclass(frozen=True)
class Family:
    """The benchmarks that one synthetic run contains.

    Attributes:
        name: Name of the run and of its golden files.
        write: Writes the run into a folder.
        kinds: Scenario → the kinds of its charts.
        small: Arguments of ``write`` for a run of a few scenarios.
        words: Texts that a terminal shows.
    """

    name: str
    write: Callable[..., Path]
    kinds: Mapping[str, Sequence[str]]
    small: Mapping[str, object]
    words: Sequence[str]

    def scenario(self, folder: Path, name: str, **arguments: object) -> ScenarioData:
        """Write a run of one scenario into the folder and return it."""
        return collected(self.write(folder, only=(name,), **arguments)).scenarios[0]


WEIGHTS = Family(
    "weights",
    write_weights,
    {
        "memory": ["weight", "ramp"],
        "density": ["latency", "available"],
        "stack": ["waterfall", "phases"],
        "namespaces": ["kinds", "rate"],
        "limits": ["achieved", "cost"],
        "compute": ["relative"],
    },
    {"only": ("density", "stack", "limits"), "targets": ("host", "runc", "docker")},
    ("MemAvailable", "What each layer adds", "Achieved ÷ asked", "getpid", "the memory floor", "interfaces"),
)
MODES = Family(
    "modes",
    write_modes,
    {
        "network-modes": ["throughput", "answers", "cpu-per-gb", "start"],
        "discovery": ["lookup"],
        "storage-drivers": ["heat", "heat", "copy-up"],
        "storage-types": ["heat", "fsync"],
        "size": ["bytes"],
        "image-build": ["pairs", "times"],
        "pull": ["share"],
    },
    {"only": ("discovery", "size", "pull"), "blocks": 6},
    ("TCP throughput, 1 stream", "One lookup", "Does copy-up grow", "What became of the data", "Pair"),
)
FAMILIES = (WEIGHTS, MODES)
assert list(WEIGHTS.kinds) == list(synthetic_weights.SCENARIOS)
assert list(MODES.kinds) == list(synthetic_modes_shapes.SCENARIOS)


def measured(folder: Path, one: Scenario, lab: FakeLab) -> ScenarioData:
    """Run a scenario over fake engines and return what its report is made of."""
    found = collected(executed(folder, one, lab).path).scenarios[0]
    return replace(found, meta={**found.meta, "procedure": one.procedure, "baseline": one.baseline})


def collected(run: Path) -> RunData:
    """Return the report's data of a run's folder."""
    return report.collect(store.load(run))


def of(data: RunData, name: str) -> ScenarioData:
    """Return the scenario of that name."""
    return next(item for item in data.scenarios if item.name == name)


def row_of(data: ScenarioData, target: str, **params: object) -> Variant:
    """Return the invoked variant of a target that has at least these params."""
    return next(
        row for row in data.invoked if row.target == target and params.items() <= json.loads(row.params).items()
    )


def table(data: ScenarioData, title: str, width: int | None = None) -> Grid:
    """Return the scenario's table with that title."""
    return next(grid for grid in benchmarks.tables(replace(data, columns=width)) if grid.title == title)


def cells(grid: Grid, label: str) -> dict[str, str]:
    """Return the cells of the row with that label by column title."""
    row = next(row for row in grid.rows if row[0].text == label)
    return {column.title: cell.line for column, cell in zip(grid.columns[1:], row[1:], strict=True)}


def printed(data: RunData, width: int) -> str:
    """Return the output of a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(terminal.show(data, None, width))
    return capture.get()


def words_of(item: ScenarioData) -> str:
    """Return headline, notes and tables of a scenario as text, without checks and charts."""
    lines = [f"# {item.name}", item.headline, *benchmarks.notes(item)]
    for grid in benchmarks.tables(item):
        lines += [f"## {grid.title}", grid.note, " | ".join(column.line for column in grid.columns)]
        lines += [" | ".join(cell.line for cell in row) for row in grid.rows]
    return "\n".join(lines)
