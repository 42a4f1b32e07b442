"""Convert lines that an older Tare wrote to the present form when they are read, so that no other code handles old forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.core.model import Status

_UNITS: Mapping[tuple[str, str], str] = {("network.cpu_s_per_gb", "s"): "s/GB"}
"""Metric and its former unit → its present unit; the numbers are the same."""

_MISMATCH = re.compile(
    r"asked for (?P<option>[^=]+)=(?P<asked>.*), but the live instance has (?P=option)=(?P<found>.*)"
)
"""The reason of a failed invocation that an older Tare wrote without the field ``mismatch``."""


def unit(metric: str, written: str) -> str:
    """Return a metric's present unit, given the unit that was written with its numbers."""
    return _UNITS.get((metric, written), written)


def convert_measurements(data: bytes, records: Iterable[dict[str, Any]]) -> None:
    """Replace former units by the present ones, in place; ``data`` is the text of the records."""
    if any(f'"{metric}"'.encode() in data for metric, _ in _UNITS):
        for record in records:
            written = record.get("metric"), record.get("unit")
            if all(isinstance(one, str) for one in written):
                record["unit"] = _UNITS.get(written, record["unit"])  # type: ignore[arg-type] # two texts


_KINDS = {"libvirt": "machine", "host": "process", "sandbox": "process"}
"""Engine → what it makes, for outcomes without the field ``kind``; all other engines of that time made containers."""


def convert_outcomes(data: bytes, records: Iterable[dict[str, Any]]) -> None:
    """Add the ``mismatch`` that an outcome states only in its reason, and its ``kind``, in place.

    ``data`` is the text of the records.
    """
    for record in records:
        if "kind" not in record and isinstance(record.get("engine"), str):
            record["kind"] = _KINDS.get(record["engine"], "container")
    if b"but the live instance has" in data:
        for record in records:
            reason = record.get("reason")
            if "mismatch" not in record and record.get("status") == Status.FAILED and isinstance(reason, str):
                found = _MISMATCH.fullmatch(reason)
                record["mismatch"] = found.groupdict() if found else {}
