"""Write the folder of one run: append-only lines, one invocation at a time, synced to disk."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import StoreError, UsageError
from bench.core.model import SCHEMA_VERSION, Invocation, Measurement, Outcome, RunState
from bench.store import lines
from bench.store.folder import MEASUREMENTS, META, OUTCOMES, PLAN, RAW, Run
from bench.store.lines import REMEDY
from bench.store.runs import load

_UNFINISHED = "unfinished.jsonl"
"""File in ``raw/`` with the measurements of invocations that were killed before their outcome."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


class RunWriter:
    """Writes the folder of one run; nothing else does.

    Every method raises StoreError, with the path and the system's reason; data written before stays intact.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._meta: dict[str, Any] = {}

    @classmethod
    def create(cls, results: Path, meta: Mapping[str, Any], plan: Sequence[Invocation]) -> RunWriter:
        """Create the folder of a new run with ``run.json`` and ``plan.json``."""
        writer = cls(results / str(meta["run_id"]))
        try:
            (writer.path / RAW).mkdir(parents=True)
        except OSError as error:
            msg = f"cannot make the results folder {writer.path}: {error.strerror}; choose another with --results DIR"
            raise StoreError(msg) from error
        writer._meta = {"schema_version": SCHEMA_VERSION, **meta, "state": RunState.RUNNING}
        try:
            writer._replace(PLAN, [dataclasses.asdict(item) for item in plan])
            writer._replace(META, writer._meta)
        except BaseException:  # it holds no results yet, and an incomplete folder is not a run
            shutil.rmtree(writer.path, ignore_errors=True)
            raise
        return writer

    @classmethod
    def reopen(cls, run: Run) -> RunWriter:
        """Return a writer that continues a run; an incomplete last line is removed first.

        Measurements without an outcome, of an invocation that was killed, move to ``raw/``: the invocation is measured again, and
        what it then does not measure (a step of a ramp) must not be taken from the first attempt.
        """
        writer = cls.beside(run)
        for name in (MEASUREMENTS, OUTCOMES):
            _cut_partial_line(run.path / name)
        writer._move_unfinished()
        return writer

    def _move_unfinished(self) -> None:
        path, kept = self.path / MEASUREMENTS, self.path / RAW / _UNFINISHED
        try:
            done = {json.loads(line)["invocation"] for line in _lines_of(self.path / OUTCOMES)}
            whole = _lines_of(path)
            cut = [line for line in whole if json.loads(line)["invocation"] not in done]
            if not cut:
                return
            with kept.open("ab") as file:
                file.writelines(cut)
            temporary = path.with_suffix(".tmp")
            with temporary.open("wb") as file:
                file.writelines(line for line in whole if json.loads(line)["invocation"] in done)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            msg = f"cannot move the unfinished measurements of {path}: {error.strerror}; free space and use --resume"
            raise StoreError(msg) from error
        except (ValueError, KeyError, TypeError) as error:
            msg = f"'{path}' has a line that is not a measurement ({error}); {REMEDY}"
            raise UsageError(msg) from error

    @classmethod
    def beside(cls, run: Run) -> RunWriter:
        """Return a writer that only updates ``run.json``: another process may still be appending lines."""
        writer = cls(run.path)
        writer._meta = dict(run.meta)
        return writer

    def update(self, **changes: Any) -> None:
        """Change keys of ``run.json``, for example the final state; tags that ``tare tag`` set meanwhile are kept."""
        with contextlib.suppress(UsageError):
            self._meta |= {key: value for key, value in load(self.path).meta.items() if key == "tags"}
        if "state" in changes:
            changes["ended"] = lines.count(self.path / OUTCOMES)
        self._meta.update(changes)
        self._replace(META, self._meta)

    def append(self, measurements: Iterable[Measurement], outcome: Outcome) -> None:
        """Append one invocation: its measurements, then its outcome with their number, each synced to disk.

        Raises:
            TypeError: A value is not JSON; nothing was written.
            UnicodeEncodeError: A text is not Unicode; nothing was written.
        """
        taken = list(measurements)
        numbers, end = _lines(taken), _lines([dataclasses.replace(outcome, measurements=len(taken))])
        self._append(MEASUREMENTS, numbers)
        self._append(OUTCOMES, end)

    def keep(self, invocation: int, name: str, text: str) -> None:
        """Save a tool's raw output in ``raw/``, under a file name of its own for each invocation and call."""
        stem = f"{invocation:06}-{_UNSAFE.sub('-', name).strip('-')[:60] or 'said'}"
        taken = sum(1 for _ in (self.path / RAW).glob(f"{stem}*.txt"))
        path = self.path / RAW / (f"{stem}-{taken + 1}.txt" if taken else f"{stem}.txt")
        try:
            path.write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            msg = f"cannot write {path}: {error.strerror}; earlier results are intact, free space and use --resume"
            raise StoreError(msg) from error

    def _append(self, name: str, data: bytes) -> None:
        if not data:
            return
        path = self.path / name
        try:
            with path.open("ab", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    _write_all(file.fileno(), data)
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)  # leave no incomplete line behind: the earlier lines are intact
                    raise
        except OSError as error:
            msg = f"cannot append to {path}: {error.strerror}; earlier results are intact, free space and use --resume"
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


def _lines(records: Iterable[Measurement | Outcome]) -> bytes:
    """Return the lines of records, JSON in UTF-8."""
    return "".join(json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n" for one in records).encode()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def _cut_partial_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.truncate(path, end)
