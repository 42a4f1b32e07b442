"""Where a dataset is: a folder, or an address of any store that fsspec knows (``s3://bucket/prefix``)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from bench.core.errors import StoreError, UsageError

_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Protocol → extra of Tare's package that installs what it needs."""


class Place:
    """The files of a dataset, by path from its root. What a store cannot do raises StoreError with its own reason.

    Raises:
        UsageError: A package is missing, or the address is invalid.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") or "/"
        self._files, self._root = _opened(self.address)
        self._on_disk = "file" in _protocols(self._files)

    def read(self, path: str) -> bytes | None:
        """Return a file's content, ``None`` where there is no such file."""
        with self._said("read", path):
            try:
                data: bytes = self._files.cat_file(self._full(path))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return data

    def write(self, path: str, data: bytes) -> None:
        """Write a file that appears whole, in the place of one of that name; stores of objects do so anyway."""
        full = self._full(path)
        with self._said("write", path):
            if not self._on_disk:
                self._files.pipe_file(full, data)
                return
            folder, _, name = full.rpartition("/")
            part = f"{folder}/.{name}.{os.getpid()}.part"
            try:
                self._files.makedirs(folder, exist_ok=True)
                self._files.pipe_file(part, data)
                self._files.mv(part, full)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._files.rm_file(part)
                raise

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; one that is not there is fine."""
        for path in paths:
            with self._said("remove", path), contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._full(path))

    def names(self, folder: str = "") -> list[str]:
        """Return the names in a folder, empty where there is none."""
        with self._said("list", folder):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._full(folder) if folder else self._root, detail=False)
            except FileNotFoundError:
                return []
        return [str(one).rstrip("/").rpartition("/")[2] for one in found]

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextlib.contextmanager
    def _said(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every store's library has errors of its own
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            msg = (
                f"cannot {what} '{self.address}/{path}': {reason}; see that there is space, that the address is right and that "
                "you may write there, then export again: what is complete stays"
            )
            raise StoreError(msg) from error


def _opened(address: str) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415 - only this format needs it
    except ImportError as error:
        msg = "the format dataset needs the Python package 'fsspec': pip install 'tare-bench[dataset]'"
        raise UsageError(msg) from error
    protocol = address.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        remedy = f"pip install 'tare-bench[{extra}]'" if extra else "install the package that it names"
        msg = f"'{address}' needs a Python package that is not installed ({error}): {remedy}"
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"'{address}' cannot hold a dataset ({error}): write a folder, or an address such as s3://BUCKET/PREFIX"
        raise UsageError(msg) from error
    return files, str(root).rstrip("/")


def _protocols(files: Any) -> tuple[str, ...]:
    given = files.protocol
    return (given,) if isinstance(given, str) else tuple(given)
