"""What is printed where the terminal's encoding lacks a character: a plain one that means the same, else its escape."""

from __future__ import annotations

import codecs

_LIKE = "×÷µ²·≈–—−…“”’‘\u00a0─━│┊├┤╶╴╸╺└●○▲▼", "x/u2*~---~\"\"'' --|:||----`o?^v"
_PLAIN = dict(zip(*_LIKE, strict=True)) | {
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "±": "+-",
    "α": "alpha",
    "✓": "yes",
    "✗": "no",
}
"""Character → what is printed instead: as wide where a column depends on it."""

NAME = "tare.plain"
"""The name under which :func:`codecs.register_error` knows the rule."""


def replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return the text to print instead of what cannot be encoded, and where encoding goes on (:func:`codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in text), error.end


codecs.register_error(NAME, replaced)
