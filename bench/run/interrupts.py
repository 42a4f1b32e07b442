"""Signals that end a run, as exceptions."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from bench.core.errors import Interrupted


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Raise Interrupted on SIGTERM, SIGHUP and SIGINT during the block."""

    def interrupt(number: int, _: FrameType | None) -> None:
        msg = f"got {signal.Signals(number).name}"
        raise Interrupted(msg)

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
