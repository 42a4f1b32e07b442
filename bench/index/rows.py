"""Rows of the index: what is known of one run, and a checksum with which a damaged file never gives a wrong number."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

HEAD = "folder, changed, seen, state, run_id, started_at, meta, parts, warnings, problem, invocations, failed, plain, sentinel"
"""Columns of a row without its series and without the checksums."""


class Damaged(Exception):
    """A row is not what was written, or a part of one is missing."""


class Seen(NamedTuple):
    """What a run's folder looked like when it was read.

    Attributes:
        changed: When an entry of the folder was made, renamed or removed last, ns.
        files: Size and time of each of its files, as JSON text.
        state: State of the run; empty for one that cannot be read.
    """

    changed: int
    files: str
    state: str


class Head(NamedTuple):
    """A row without its series.

    Attributes:
        folder: Name of the run's folder.
        seen: What it looked like.
        run_id: The run's id; empty where ``run.json`` cannot be read.
        started_at: When it began.
        meta: ``run.json``.
        warnings: What is wrong with its folder.
        problem: 0, or 1 where ``run.json`` cannot be read, 2 where the lines cannot be.
        invocations: Invocations that have ended.
        failed: Those that failed or timed out.
        plain: Whether the fixed host workload has its own metric only.
        sentinel: Median of its times; ``None`` without any.
    """

    folder: str
    seen: Seen
    run_id: str = ""
    started_at: str = ""
    meta: Mapping[str, Any] = {}
    warnings: Sequence[str] = ()
    problem: int = 1
    invocations: int = 0
    failed: int = 0
    plain: bool = True
    sentinel: float | None = None


def checksum(values: Sequence[Any]) -> int:
    """Return the checksum of a row's values."""
    return zlib.crc32("\0".join(map(str, values)).encode("utf-8", "surrogatepass"))
