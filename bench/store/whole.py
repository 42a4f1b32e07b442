"""Write a whole run at once: into a hidden folder, which becomes the run's when everything is on disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from bench.core.errors import StoreError
from bench.core.model import SCHEMA_VERSION
from bench.store.folder import META, RAW
from bench.store.reader import make_copies


class WholeRun:
    """A run that is written from beginning to end by one process; nothing of it is left unless :meth:`finish` returned.

    Every method raises StoreError, with the path and the system's reason.
    """

    def __init__(self, results: Path, run_id: str) -> None:
        self.path = results / run_id
        self._folder = results / f".{run_id}.{os.getpid()}"
        self._files: dict[str, BinaryIO] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> WholeRun:
        try:
            (self._folder / RAW).mkdir(parents=True)
        except OSError as error:
            msg = f"cannot make the results folder {self.path}: {error.strerror}; choose another with --results DIR"
            raise StoreError(msg) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is still to be written
            self._stack.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Append to a file, which :meth:`finish` waits for until it is on disk."""
        try:
            if name not in self._files:
                self._files[name] = self._stack.enter_context((self._folder / name).open("wb"))
            self._files[name].writelines(parts)
        except OSError as error:
            raise self._refusal(name, error) from error

    def _sync(self) -> None:
        for name, file in self._files.items():
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise self._refusal(name, error) from error

    def _refusal(self, name: str, error: OSError) -> StoreError:
        path = self.path / name
        return StoreError(
            f"cannot write {path}: {error.strerror}; free space or choose another folder with --results DIR"
        )

    def finish(self, meta: Mapping[str, Any], *, ended: int, planned: int) -> Path:
        """Write ``run.json``, make the columnar copies, and give the folder its name."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **meta}, indent=1, ensure_ascii=False) + "\n"
        self.write(META, [text.encode()])
        self._sync()
        make_copies(self._folder, ended, planned)
        try:
            self._folder.rename(self.path)
        except OSError as error:
            msg = f"cannot make the results folder {self.path}: {error.strerror}; choose another with --results DIR"
            raise StoreError(msg) from error
        return self.path
