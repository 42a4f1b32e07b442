"""Find runs, and read their ``run.json`` and plan. Damaged files are refused or reported."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.model import SCHEMA_VERSION, Invocation, RunState, Skipped
from bench.store import columns, lines, losses, shape
from bench.store.folder import COLUMNS, MEASUREMENTS, META, OUTCOMES, PLAN, Copy, CopyState, Run

_TIMED = re.compile(r"\d{8}T\d{6}Z-")
"""Start of the run ids that Tare makes."""
_SCENARIO_DEFAULTS: Mapping[str, Any] = {"targets": [], "baseline": "", "primary": []}
"""Values for keys that a scenario in ``run.json`` lacks."""


def find(results: Path, name: str) -> Path:
    """Return the folder of a run: an id, a unique prefix of one, a folder, or ``latest``.

    Raises:
        UsageError: No run matches, or more than one.
    """
    if is_run(Path(name)):
        return Path(name)
    runs = [path.name for path in folders(results)]
    if not runs:
        msg = f"no runs in '{results}'; make one with 'tare run quick' or name another folder with --results DIR"
        raise UsageError(msg)
    if name == "latest":
        timed = [run for run in runs if _TIMED.match(run)]  # a renamed folder is never the latest run
        return results / (timed or runs)[-1]
    hits = [run for run in runs if run == name] or [run for run in runs if run.startswith(name)]
    if len(hits) == 1:
        return results / hits[0]
    if hits:
        msg = f"'{name}' matches {len(hits)} runs: {', '.join(hits[:5])}; give more of the id"
    elif _is_folder(results / name) or _is_folder(Path(name)):
        msg = f"'{name}' has no run.json: it is not a run, or the file was lost; restore it or name another run"
    else:
        msg = f"no run '{name}' in '{results}'; the last ones are: {', '.join(runs[-3:])}"
    raise UsageError(msg)


def folders(results: Path) -> list[Path]:
    """Return the folders that have a run.json, sorted; it may be one that cannot be read, such as a link to itself.

    Raises:
        UsageError: The folder of the runs cannot be read.
    """
    try:
        found = [path for path in results.iterdir() if not path.name.startswith(".")]  # hidden ones are being written
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        msg = (
            f"'{results}' cannot be read: {error.strerror}; make it readable, or name another folder with --results DIR"
        )
        raise UsageError(msg) from error
    return sorted(path for path in found if os.path.lexists(path / META))


def is_run(path: Path) -> bool:
    """Return whether a folder is a run; ``False`` for one that cannot be read."""
    try:
        return (path / META).is_file()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def load(path: Path) -> Run:
    """Read ``run.json`` and check it.

    Raises:
        UsageError: The folder is not a run, a newer Tare wrote it, or a value in it is invalid.
    """
    try:
        meta = lines.document(path / META)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        msg = f"'{path}' is not a run: run.json cannot be read ({said}); restore it from a copy, or leave the run out"
        raise UsageError(msg) from error
    version = meta.get("schema_version") if isinstance(meta, dict) else None
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        newer = (
            "use a newer Tare" if type(version) is int and version > 1 else "it is not a run of Tare, or it is damaged"
        )
        msg = f"'{path}/run.json' has schema version {version!r}, this Tare reads 1 to {SCHEMA_VERSION}: {newer}"
        raise UsageError(msg)
    if wrong := shape.of_run(meta):
        msg = f"'{path}/run.json' is not valid: {wrong}; {lines.REMEDY}"
        raise UsageError(msg)
    scenarios = {name: {**_SCENARIO_DEFAULTS, **one} for name, one in meta.get("scenarios", {}).items()}
    return _checked(path, {**meta, "scenarios": scenarios})


def _checked(path: Path, meta: Mapping[str, Any]) -> Run:
    """Return a run with what is wrong with its folder; a valid columnar copy says that the lines are those checked before."""
    complete = meta.get("state") == RunState.COMPLETE
    copied = complete and os.path.lexists(path / COLUMNS)
    copies = {name: columns.look(path, name) for name in (MEASUREMENTS, OUTCOMES)} if copied else {}
    known = next((one for one in copies.values() if one.state is CopyState.VALID), None)
    texts = None if known else losses.Texts(path)
    ended = known.ended if known else texts.ended if texts and complete else 0
    counted = ended, known.planned if known else _planned(path, meta)
    warnings = [*(_cut_off(texts) if texts and complete else []), *_missing(meta, *counted)]
    lost = losses.find(path, texts, complete=complete, planned=meta.get("ended", 0)) if texts else losses.Losses()
    whole = complete and not warnings and lost == losses.Losses() and counted[1] is not None
    said = (*warnings, *lost.warnings, *_of_copies(copies))
    return Run(path, meta, said, lost.nothing_left, copies, (counted[0], counted[1] or 0) if whole else None)


def require_lines(run: Run) -> None:
    """Refuse a run that had measurements and has none left.

    Raises:
        UsageError: All of them are lost.
    """
    if run.nothing_left:
        msg = f"'{run.path}': {run.nothing_left}"
        raise UsageError(msg)


def _planned(path: Path, meta: Mapping[str, Any]) -> int | None:
    """Return how many invocations a complete run had planned; ``None`` when ``plan.json`` cannot be read."""
    if meta.get("state") != RunState.COMPLETE:
        return None
    try:
        return len(lines.document(path / PLAN))
    except (OSError, ValueError, TypeError):
        return None


def _cut_off(texts: losses.Texts) -> Iterator[str]:
    for name in texts.cut_off():
        yield f"{name} was cut off within a line after the run was complete: the rest is lost; restore it from a copy"


def _missing(meta: Mapping[str, Any], ended: int, planned: int | None) -> Iterator[str]:
    if meta.get("state") != RunState.COMPLETE:
        go_on = "its guest is gone" if meta.get("inside") else f"'tare run --resume {meta['run_id']}' continues it"
        yield f"the run did not finish (state: {meta.get('state')}); {go_on}"
    elif "rule" in meta:  # the number of invocations was decided during the run
        if ended < (before := meta.get("ended", 0)):
            yield f"{before - ended} of {before} invocations are missing from {OUTCOMES}: lines were lost; restore it from a copy"
    elif planned is None:
        yield "plan.json cannot be read, so it is unknown whether invocations are missing; restore it from a copy"
    elif ended < planned:
        yield f"{planned - ended} of {planned} invocations are missing from {OUTCOMES}: lines were lost; restore it from a copy"


_COPY_SAYS = {
    CopyState.OTHER_LINES: "{copy} was made from other lines than {name} has now: {name} was read; if nobody changed it, "
    "restore it from a copy",
    CopyState.DAMAGED: "{copy} is damaged: {name} was read instead, and nothing is lost",
    CopyState.FOREIGN: "{copy} was not written by Tare: {name} was read instead",
}


def _of_copies(copies: Mapping[str, Copy]) -> Iterator[str]:
    for name, one in copies.items():
        if text := _COPY_SAYS.get(one.state):
            yield text.format(copy=columns.path_of(Path(), name), name=name)


def plan(run: Run) -> list[Invocation]:
    """Return the planned invocations in order.

    Raises:
        UsageError: ``plan.json`` cannot be read or is invalid.
    """
    try:
        records = lines.document(run.path / PLAN)
    except (OSError, ValueError) as error:
        msg = f"'{run.path}/plan.json' cannot be read: {error}"
        raise UsageError(msg) from error
    if wrong := shape.of_plan(records):
        msg = f"'{run.path}/plan.json' is not valid: {wrong}; {lines.REMEDY}"
        raise UsageError(msg)
    names = [field.name for field in dataclasses.fields(Invocation)]
    return [Invocation(**{name: record[name] for name in names if name in record}) for record in records]


def skipped(run: Run) -> list[Skipped]:
    """Return the targets that were not measured, with their reasons."""
    names = [field.name for field in dataclasses.fields(Skipped)]
    return [Skipped(**{name: record[name] for name in names}) for record in run.meta.get("skipped", [])]
