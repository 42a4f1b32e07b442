"""Figures as PNG: drawn by the same program as the SVG, from the same figure, with title and caption."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from bench.display import theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
_TITLE_PT, _CAPTION_PT = 12.5, 8.5
_EM = 0.62
"""Width of a character of DejaVu Sans, the font of every PNG, in em."""

_wanted: ContextVar[bool] = ContextVar("raster", default=False)


@contextmanager
def wanted(yes: bool) -> Iterator[None]:
    """Have every figure that is finished in this block drawn as PNG, too."""
    token = _wanted.set(yes)
    try:
        yield
    finally:
        _wanted.reset(token)


def png(figure: Figure, title: str, caption: str, alt: str) -> bytes:
    """Return a figure as PNG with its title above and its caption below; empty unless :func:`wanted`.

    The file's own title and description say what it shows, and all of its values.
    """
    if not _wanted.get():
        return b""
    width, height = (float(size) for size in figure.get_size_inches())
    above, below = (_wrapped(text, size, width) for text, size in ((title, _TITLE_PT), (caption, _CAPTION_PT)))
    figure.text(0, 1 + 0.1 / height, above, fontsize=_TITLE_PT, fontweight="bold", va="bottom", color=theme.INK)
    figure.text(0, -0.1 / height, below, fontsize=_CAPTION_PT, va="top", color=theme.MUTED)
    buffer = io.BytesIO()
    told = {"Title": title, "Description": alt, "Software": None}
    figure.savefig(
        buffer, format="png", dpi=DPI, facecolor=theme.SURFACE, bbox_inches="tight", pad_inches=0.17, metadata=told
    )
    return buffer.getvalue()


def _wrapped(text: str, size: float, width: float) -> str:
    return "\n".join(textwrap.wrap(text, int(width * 72 / (size * _EM))))
