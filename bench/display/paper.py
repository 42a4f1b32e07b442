"""The width that figures are drawn for: a desk's page, or a phone's, where names stand above their marks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

WIDE = 7.7
NARROW = 4.0
"""Inches: at 360 pixels the smallest text of a figure this wide is some 9 pixels high."""

_width: ContextVar[float] = ContextVar("width", default=WIDE)


def width() -> float:
    """Return the width of figures in inches."""
    return _width.get()


def is_narrow() -> bool:
    """Say whether figures are drawn for a phone."""
    return width() < WIDE


@contextmanager
def narrow() -> Iterator[None]:
    """Have every figure of this block drawn for a phone."""
    token = _width.set(NARROW)
    try:
        yield
    finally:
        _width.reset(token)
