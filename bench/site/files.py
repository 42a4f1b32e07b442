"""Write the files of a site: only what changed, all of it or nothing, and never over or instead of anybody else's files.

New files are written into a hidden folder first and put in place when all of them are there. A hidden list in the site's folder
says which files are the site's, and of what each was made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import StoreError, UsageError

LIST = ".tare-site.json"
_STAGE = ".tare-site.new"
_FORMAT = 1


def digest(*parts: object) -> str:
    """Return a short digest of values that ``repr`` tells apart."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True)
class Written:
    """How many files were written, were already right, and were removed."""

    written: int
    kept: int
    removed: int


@dataclass(frozen=True)
class _File:
    """A file as it was written: digest of what it was made of, size, digest of its content."""

    key: str
    size: int
    content: str


class Files:
    """The files of one build.

    ``version`` is the digest of what makes the files: with another one nothing is taken over from the last build.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self._version = version
        self._before: dict[str, _File] = {}
        self._memory: dict[str, Any] = {}
        self._now: dict[str, _File] = {}
        self._kept: dict[str, Any] = {}
        self._staged: list[str] = []

    def add(self, path: str, key: str, make: Callable[[], str]) -> None:
        """Add a file; its content is made only if it was last made of something else, or is not there any more.

        Raises:
            UsageError: There is a file of somebody else's at its place.
        """
        key = digest(self._version, key)
        old = self._before.get(path)
        there = _size(self.folder / path)
        if old and old.key == key and there == old.size:
            self._now[path] = old
            return
        if there is not None and old is None:
            msg = f"'{self.folder / path}' was not written by 'tare site': remove it, or choose another folder with -o DIR"
            raise UsageError(msg)
        content = make().encode("utf-8", "backslashreplace")
        self._now[path] = _File(key, len(content), hashlib.sha256(content).hexdigest()[:20])
        if old and old.content == self._now[path].content and there == old.size:
            return
        place = self.folder / _STAGE / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        self._staged.append(path)

    def remember(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """Return a JSON value, that of the last build if it was made of the same."""
        key = digest(self._version, key)
        old = self._memory.get(name)
        self._kept[name] = old if old and old[0] == key else [key, make()]
        return self._kept[name][1]

    def finish(self) -> Written:
        """Put the new files in place and remove those of the last build that the site has no more."""
        gone = [path for path in self._before if path not in self._now]
        # Until all are in place the list names old and new files; those that change have no key, so they are made again.
        changing = {path: _File("", self._now[path].size, "") for path in self._staged}
        for path in self._staged:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        if self._staged or gone:
            self._save({**self._before, **self._now, **changing}, {})
        for path in self._staged:
            (self.folder / _STAGE / path).replace(self.folder / path)
        for path in gone:
            self._remove(path)
        if self._staged or gone or (self._before, self._memory) != (self._now, self._kept):
            self._save(self._now, self._kept)
        return Written(len(self._staged), len(self._now) - len(self._staged), len(gone))

    def _remove(self, path: str) -> None:
        place = self.folder / path
        place.unlink(missing_ok=True)
        for parent in place.relative_to(self.folder).parents:
            with contextlib.suppress(OSError):  # the site's folder itself, and folders with other files
                (self.folder / parent).rmdir()

    def _save(self, files: dict[str, _File], memory: dict[str, Any]) -> None:
        listed = {path: [one.key, one.size, one.content] for path, one in files.items()}
        text = json.dumps({"format": _FORMAT, "files": listed, "memory": memory})
        place = self.folder / _STAGE / LIST
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.replace(self.folder / LIST)

    def load(self) -> None:
        """Read the list of the last build.

        Raises:
            UsageError: It is damaged, so that nobody knows which files are the site's.
        """
        try:
            found = json.loads((self.folder / LIST).read_text(encoding="utf-8"))
            self._before = {path: _File(*one) for path, one in found["files"].items()}
            self._memory = dict(found["memory"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = (
                f"'{self.folder / LIST}' is damaged, so which files are the site's is unknown: remove the folder, or choose "
                "another one with -o DIR"
            )
            raise UsageError(msg) from error


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None


@contextlib.contextmanager
def site(folder: Path, version: str) -> Iterator[Files]:
    """Yield the files of a site while nobody else builds it; if anything goes wrong, the site stays as it was.

    Raises:
        StoreError: The folder cannot be written, or another process builds the site.
        UsageError: The folder has files of somebody else's where the site's go.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            shutil.rmtree(folder / _STAGE, ignore_errors=True)  # of a build that was killed
            files = Files(folder, version)
            files.load()
            try:
                yield files
            finally:
                shutil.rmtree(folder / _STAGE, ignore_errors=True)
    except OSError as error:
        what = error.strerror or str(error)
        msg = f"cannot write the site into '{folder}': {what}; what was there is unchanged; choose another folder with -o DIR"
        raise StoreError(msg) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        msg = (
            f"another 'tare site' writes into '{folder}': wait until it has ended, or choose another folder with -o DIR"
        )
        raise StoreError(msg) from error
    finally:
        os.close(held)
