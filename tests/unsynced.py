"""Made-up runs are written without a wait for the disk: they need not outlive a power cut, and each has hundreds of records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Leave out every fsync meanwhile; also a decorator."""
    with mock.patch("os.fsync"):
        yield
