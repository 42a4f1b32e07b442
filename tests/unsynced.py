"""Write synthetic runs without fsync: they have hundreds of records and need not survive a power failure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Disable ``os.fsync`` in the block; also usable as a decorator."""
    with mock.patch("os.fsync"):
        yield
