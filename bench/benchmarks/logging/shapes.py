"""Kinds of lines at the edges: of the engines' buffers, of text files, and of UTF-8."""

from __future__ import annotations

from bench.workloads.lines import Load

SHAPES = {
    "100 B": Load(20, 100),
    "1 KiB": Load(20, 1024),
    "16383 B": Load(20, 16383),
    "16384 B": Load(20, 16384),
    "16385 B": Load(20, 16385),
    "1 MiB": Load(2, 2**20),
    "CR LF": Load(20, 100, kind="crlf"),
    "not UTF-8": Load(20, 100, kind="bytes"),
    "no last LF": Load(20, 100, kind="open"),
}
"""Kind of line → the load; the last one ends the log."""
