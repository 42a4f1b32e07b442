"""Read the lines of a run as DataFrames: measurements and outcomes, from the columnar copies where they are valid."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.model import Measurement, Outcome
from bench.store import arrow, columns, lines
from bench.store.folder import (
    MEASUREMENT_COLUMNS,
    MEASUREMENTS,
    OUTCOME_COLUMNS,
    OUTCOMES,
    Copy,
    CopyState,
    Run,
)

if TYPE_CHECKING:
    import pandas as pd

_PART_ROWS = 200_000
"""Rows of a columnar copy that are in memory at a time while it is made."""
_OUTCOME_DEFAULTS: Mapping[str, Any] = {
    "reason": "",
    "evidence": {},
    "notes": {},
    "flags": [],
    "wall_s": 0.0,
    "harness_s": 0.0,
    "mismatch": {},
    "in_force": {},
    "disturbed": [],
    "kind": "",
}
"""Values for fields of an outcome that earlier versions of Tare did not write."""


def measurements(
    run: Run,
    ended: pd.DataFrame | None = None,
    only: Sequence[str] = MEASUREMENT_COLUMNS,
    *,
    coded: bool = False,
) -> pd.DataFrame:
    """Return the run's measurements, columns as in ``Measurement``; ``params`` is JSON text with sorted keys.

    Measurements of an invocation without an outcome are left out: it was cut off. ``ended`` are the run's outcomes, for a caller
    that has read them already; ``only`` the columns that it needs, with ``invocation`` among them. With ``coded``, texts are
    categoricals with sorted categories: fast to group and small.

    Raises:
        UsageError: A file cannot be read, or a line is invalid.
    """
    frame = _frame(run, MEASUREMENTS, only)
    done = (outcomes(run, ["invocation"]) if ended is None else ended)["invocation"]
    kept = frame["invocation"].isin(done)
    found = frame if kept.all() else frame[kept].reset_index(drop=True)
    return found if coded else _plain(found)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same with plain texts."""
    import numpy as np  # noqa: PLC0415 - only readers need pandas and numpy
    import pandas as pd  # noqa: PLC0415

    coded = frame.columns[frame.dtypes == "category"]
    texts = {name: pd.Series(np.asarray(frame[name].array, dtype=object), index=frame.index) for name in coded}
    return frame.assign(**texts)


def outcomes(run: Run, only: Sequence[str] = OUTCOME_COLUMNS) -> pd.DataFrame:
    """Return the run's outcomes, columns as in ``Outcome``, or ``only`` those that the caller needs.

    ``params`` is JSON text; ``evidence``, ``notes`` and ``mismatch`` are dicts. Rows may share one: nobody may change it.

    Raises:
        UsageError: The file cannot be read, or a line is invalid.
    """
    return _frame(run, OUTCOMES, only)


def _frame(run: Run, name: str, only: Sequence[str]) -> pd.DataFrame:
    """Return columns of a file of lines: of its valid copy, else of the lines, of which a copy is then made."""
    kind = Measurement if name == MEASUREMENTS else Outcome
    copy = run.copies.get(name, Copy(CopyState.NONE))
    if copy.state is CopyState.VALID and (table := columns.read(run.path, name, only)) is not None:
        return arrow.frame(table, kind)
    frame = _of_lines(run.path, name, () if copy.state is CopyState.FOREIGN else run.counted or ())
    return frame[list(only)]


def make_copies(folder: Path, ended: int, planned: int) -> None:
    """Make the columnar copies of a run's lines that are known to be whole and without repeats, where they are worth it.

    Memory does not grow with the lines.
    """
    for name in (MEASUREMENTS, OUTCOMES):
        if _is_large(folder / name):
            kind, defaults = (Measurement, {}) if name == MEASUREMENTS else (Outcome, _OUTCOME_DEFAULTS)
            with lines.without_gc():
                parts = arrow.in_parts(folder / name, kind, defaults, _PART_ROWS)
                columns.make(folder, name, parts, columns.sources(folder), ended=ended, planned=planned)


def _of_lines(folder: Path, name: str, counted: Sequence[int]) -> pd.DataFrame:
    """Read a file of lines; with the ``counted`` outcomes and planned invocations of a whole run its copy is made."""
    kind = Measurement if name == MEASUREMENTS else Outcome
    of = columns.sources(folder) if counted and _is_large(folder / name) else None
    try:
        with lines.without_gc():
            table = arrow.of_lines(folder / name, kind, _OUTCOME_DEFAULTS if kind is Outcome else {})
    except (arrow.Uncommon, ImportError):
        return _latest(_line_by_line(folder / name, kind), kind).reset_index(drop=True)
    frame = arrow.frame(table, kind)
    kept = _latest(frame, kind)
    if of:
        table = table if len(kept) == len(frame) else table.take(kept.index.to_numpy())
        columns.make(folder, name, [table], of, ended=counted[0], planned=counted[1])
    return kept.reset_index(drop=True)


def _is_large(path: Path) -> bool:
    try:
        return path.stat().st_size >= columns.WORTH_BYTES
    except OSError:
        return False


def _latest(frame: pd.DataFrame, kind: type[Measurement] | type[Outcome]) -> pd.DataFrame:
    """Keep the last row of what was measured twice: a run that was killed between the two appends measures again when resumed."""
    keys = ["invocation", "metric", "iteration"] if kind is Measurement else ["invocation"]
    return frame.drop_duplicates([*keys, "params"], keep="last")


def _line_by_line(path: Path, kind: type[Measurement] | type[Outcome]) -> pd.DataFrame:
    """Read a file in which something is out of the ordinary: it is accepted, or refused with its line."""
    import pandas as pd  # noqa: PLC0415 - only readers need pandas

    unsaid = _OUTCOME_DEFAULTS if kind is Outcome else {}
    with lines.without_gc():
        records = lines.lines(path, kind)
        for record in records:
            record.update({name: value for name, value in unsaid.items() if record.get(name) is None})
            params = record.get("params")
            record["params"] = json.dumps(params, sort_keys=True) if params else "{}"
        frame = pd.DataFrame.from_records(records, columns=[field.name for field in dataclasses.fields(kind)])
    if kind is Measurement:
        return frame.astype({name: "category" for name in (*arrow.TEXTS, "params") if name in frame})
    return frame
