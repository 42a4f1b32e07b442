"""The results folder: append-only lines, whole invocations, read back as DataFrames.

A run is a folder (docs/results-format.md). Lines are appended and synced to disk an invocation at a time: first its
measurements, then its outcome. The outcome line is the commit record: measurements without one belong to an
invocation that was cut off, and readers leave them out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import StoreError, UsageError
from bench.core.model import SCHEMA_VERSION, Invocation, Measurement, Outcome, RunState, Skipped
from bench.store import lines as _lines
from bench.store import shape

if TYPE_CHECKING:
    import pandas as pd

_TIMED = re.compile(r"\d{8}T\d{6}Z-")
MEASUREMENTS = "measurements.jsonl"
OUTCOMES = "outcomes.jsonl"
RAW = "raw"
_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
MEASUREMENT_COLUMNS = tuple(field.name for field in dataclasses.fields(Measurement))
_UNSAID: Mapping[str, Any] = {"targets": [], "baseline": "", "primary": []}  # of a scenario that does not say
OUTCOME_COLUMNS = tuple(field.name for field in dataclasses.fields(Outcome))
_OLDER: Mapping[str, Any] = {
    "reason": "",
    "evidence": {},
    "notes": {},
    "flags": [],
    "wall_s": 0.0,
    "harness_s": 0.0,
    "mismatch": {},
}
"""What an outcome is taken to say where an older Tare wrote nothing."""


@dataclass(frozen=True)
class Run:
    """A run read from disk.

    Attributes:
        path: Its folder.
        meta: ``run.json`` as a mapping (keys in docs/results-format.md).
        warnings: What was wrong with the folder and what was done about it.
    """

    path: Path
    meta: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The run's id, unique over all hosts."""
        return str(self.meta["run_id"])


class RunWriter:
    """The only writer of one run's folder.

    Every method raises StoreError with the path and the system's reason; what was written before stays whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._meta: dict[str, Any] = {}

    @classmethod
    def create(cls, results: Path, meta: Mapping[str, Any], plan: Sequence[Invocation]) -> RunWriter:
        """Make the folder of a new run with ``run.json`` and ``plan.json``."""
        writer = cls(results / str(meta["run_id"]))
        try:
            (writer.path / RAW).mkdir(parents=True)
        except OSError as error:
            msg = f"cannot make the results folder {writer.path}: {error.strerror}; choose another with --results DIR"
            raise StoreError(msg) from error
        writer._meta = {"schema_version": SCHEMA_VERSION, **meta, "state": RunState.RUNNING}
        try:
            writer._replace("plan.json", [dataclasses.asdict(item) for item in plan])
            writer._replace("run.json", writer._meta)
        except StoreError:
            shutil.rmtree(writer.path, ignore_errors=True)  # nothing is in it yet, and half a folder is no run
            raise
        return writer

    @classmethod
    def reopen(cls, run: Run) -> RunWriter:
        """Continue a run: cut off a half-written last line and append after it."""
        writer = cls.beside(run)
        for name in (MEASUREMENTS, OUTCOMES):
            _cut_partial_line(run.path / name)
        return writer

    @classmethod
    def beside(cls, run: Run) -> RunWriter:
        """Change ``run.json`` alone: the run may be going on, and its lines are another process's."""
        writer = cls(run.path)
        writer._meta = dict(run.meta)
        return writer

    def update(self, **changes: Any) -> None:
        """Change keys of ``run.json`` (facts learned late, the final state); tags that it was given meanwhile stay."""
        with contextlib.suppress(UsageError):
            self._meta |= {key: value for key, value in load(self.path).meta.items() if key == "tags"}
        self._meta.update(changes)
        self._replace("run.json", self._meta)

    def append(self, measurements: Iterable[Measurement], outcome: Outcome) -> None:
        """Append one invocation: its measurements, then its outcome, each synced to disk."""
        self._append(MEASUREMENTS, [dataclasses.asdict(item) for item in measurements])
        self._append(OUTCOMES, [dataclasses.asdict(outcome)])

    def keep(self, invocation: int, name: str, text: str) -> None:
        """Keep what a tool printed in an invocation, untouched, under a name of its own in ``raw/``."""
        stem = f"{invocation:06}-{_UNSAFE.sub('-', name).strip('-')[:60] or 'said'}"
        taken = sum(1 for _ in (self.path / RAW).glob(f"{stem}*.txt"))
        path = self.path / RAW / (f"{stem}-{taken + 1}.txt" if taken else f"{stem}.txt")
        try:
            path.write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            msg = f"cannot write {path}: {error.strerror}; earlier results are whole, free space and use --resume"
            raise StoreError(msg) from error

    def _append(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        if not records:
            return
        data = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
        path = self.path / name
        try:
            with path.open("ab", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    _write_all(file.fileno(), data)
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)  # a torn line must not stay: the disk is full, the earlier lines are good
                    raise
        except OSError as error:
            msg = f"cannot append to {path}: {error.strerror}; earlier results are whole, free space and use --resume"
            raise StoreError(msg) from error

    def _replace(self, name: str, content: object) -> None:
        path = self.path / name
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=1, ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            msg = f"cannot write {path}: {error.strerror}; free space or choose another folder with --results DIR"
            raise StoreError(msg) from error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _cut_partial_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.truncate(path, end)


def find(results: Path, name: str) -> Path:
    """Return the folder of a run: an id, a unique prefix of one, a folder, or ``latest``.

    Raises:
        UsageError: Nothing or more than one run matches.
    """
    if is_run(Path(name)):
        return Path(name)
    runs = sorted(path.parent.name for path in results.glob("*/run.json"))
    if not runs:
        msg = f"no runs in '{results}'; make one with 'tare run quick' or name another folder with --results DIR"
        raise UsageError(msg)
    if name == "latest":
        timed = [run for run in runs if _TIMED.match(run)]  # a folder with a name of its own is not the last run
        return results / (timed or runs)[-1]
    hits = [run for run in runs if run == name] or [run for run in runs if run.startswith(name)]
    if len(hits) == 1:
        return results / hits[0]
    if hits:
        msg = f"'{name}' is the beginning of {len(hits)} runs: {', '.join(hits[:5])}; give more of the id"
    elif _is_folder(results / name) or _is_folder(Path(name)):
        msg = f"'{name}' is a folder without run.json: no run, or one of which it was lost; restore it or name another run"
    else:
        msg = f"no run '{name}' in '{results}'; the last ones are: {', '.join(runs[-3:])}"
    raise UsageError(msg)


def is_run(path: Path) -> bool:
    """Say whether a folder is a run's; of what cannot be looked at: no."""
    try:
        return (path / "run.json").is_file()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def load(path: Path) -> Run:
    """Read ``run.json``.

    Raises:
        UsageError: The folder is no run, a newer Tare wrote it, or something in it is not what it must be.
    """
    try:
        meta = _lines.document(path / "run.json")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        msg = f"'{path}' is not a run: run.json cannot be read ({said}); restore it from a copy, or leave the run out"
        raise UsageError(msg) from error
    version = meta.get("schema_version") if isinstance(meta, dict) else None
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        newer = "use a newer Tare" if type(version) is int and version > 1 else "it is no run of Tare's, or was damaged"
        msg = f"'{path}/run.json' has schema version {version!r}, this Tare reads 1 to {SCHEMA_VERSION}: {newer}"
        raise UsageError(msg)
    if wrong := shape.of_run(meta):
        msg = f"'{path}/run.json' is not what a run has: {wrong}; {_lines.REMEDY}"
        raise UsageError(msg)
    scenarios = {name: {**_UNSAID, **one} for name, one in meta.get("scenarios", {}).items()}
    return Run(path, {**meta, "scenarios": scenarios}, tuple(_warnings(path, meta)))


def _warnings(path: Path, meta: Mapping[str, Any]) -> Iterator[str]:
    if meta.get("state") != RunState.COMPLETE:
        go_on = "its guest is gone" if meta.get("inside") else f"'tare run --resume {meta['run_id']}' goes on"
        yield f"the run did not finish (state: {meta.get('state')}); {go_on}"
        return
    for name in (MEASUREMENTS, OUTCOMES):
        if not _lines.are_whole(path / name):
            yield f"{name} was cut off in a line, after the run was complete: what follows is lost; restore it from a copy"
    if "rule" in meta:  # how many invocations there were was decided on the way
        return
    try:
        planned, ended = len(_lines.document(path / "plan.json")), _lines.count(path / OUTCOMES)
    except (OSError, ValueError, TypeError):
        yield "plan.json cannot be read: nobody can tell whether invocations are missing; restore it from a copy"
        return
    if ended < planned:
        yield f"{planned - ended} of {planned} invocations are missing from {OUTCOMES}: lines were lost; restore it from a copy"


def plan(run: Run) -> list[Invocation]:
    """Read the invocations that the run was to make, in order."""
    try:
        records = _lines.document(run.path / "plan.json")
    except (OSError, ValueError) as error:
        msg = f"'{run.path}/plan.json' cannot be read: {error}"
        raise UsageError(msg) from error
    if wrong := shape.of_plan(records):
        msg = f"'{run.path}/plan.json' is not what a run has: {wrong}; {_lines.REMEDY}"
        raise UsageError(msg)
    names = [field.name for field in dataclasses.fields(Invocation)]
    return [Invocation(**{name: record[name] for name in names}) for record in records]


def skipped(run: Run) -> list[Skipped]:
    """Read what was not measured, and why."""
    names = [field.name for field in dataclasses.fields(Skipped)]
    return [Skipped(**{name: record[name] for name in names}) for record in run.meta.get("skipped", [])]


def measurements(run: Run, ended: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the run's measurements, columns as in ``Measurement``; ``params`` is JSON text with sorted keys.

    Lines of invocations without an outcome are left out (they were cut off); ``ended`` are the outcomes, where they are there.
    """
    frame = _frame(run.path / MEASUREMENTS, MEASUREMENT_COLUMNS)
    done = (outcomes(run) if ended is None else ended)["invocation"]
    return frame[frame["invocation"].isin(done)].reset_index(drop=True)


def outcomes(run: Run) -> pd.DataFrame:
    """Return the run's outcomes, columns as in ``Outcome``.

    ``params`` is JSON text; ``evidence``, ``notes`` and ``mismatch`` are dicts.
    """
    return _frame(run.path / OUTCOMES, OUTCOME_COLUMNS)


def _frame(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - only readers pay for pandas

    kind = Measurement if "metric" in columns else Outcome
    unsaid = _OLDER if kind is Outcome else {}
    with _lines.uncollected():
        records = _lines.lines(path, kind)
        for record in records:
            record.update({name: value for name, value in unsaid.items() if record.get(name) is None})
            params = record.get("params")
            record["params"] = json.dumps(params, sort_keys=True) if params else "{}"
        frame = pd.DataFrame.from_records(records, columns=list(columns))
    # A resumed run may have measured an invocation twice when it was killed between the two appends.
    keys = ["invocation", "metric", "iteration"] if kind is Measurement else ["invocation"]
    return frame.drop_duplicates([*keys, "params"], keep="last").reset_index(drop=True)
