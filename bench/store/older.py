"""Convert what an older Tare wrote, once, when it is read: so that nothing else has to know that it was ever different."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.core.model import Status

_UNITS: Mapping[tuple[str, str], str] = {("network.cpu_s_per_gb", "s"): "s/GB"}
"""Metric and the unit that it used to have → the unit that the same numbers have now."""

_MISMATCH = re.compile(
    r"asked for (?P<option>[^=]+)=(?P<asked>.*), but the live instance has (?P=option)=(?P<found>.*)"
)
"""The reason of a failed invocation that an older Tare wrote without the field ``mismatch``."""


def unit(metric: str, written: str) -> str:
    """Return the unit of a metric's numbers, given the one that was written with them."""
    return _UNITS.get((metric, written), written)


def convert_measurements(data: bytes, records: Iterable[dict[str, Any]]) -> None:
    """Give measurements in a former unit the present one, in place; ``data`` are the bytes that they were read from."""
    if any(f'"{metric}"'.encode() in data for metric, _ in _UNITS):
        for record in records:
            written = record.get("metric"), record.get("unit")
            if all(isinstance(one, str) for one in written):
                record["unit"] = _UNITS.get(written, record["unit"])  # type: ignore[arg-type] # two texts


def convert_outcomes(data: bytes, records: Iterable[dict[str, Any]]) -> None:
    """Give outcomes that have no ``mismatch`` the one that their reason tells of, in place."""
    if b"but the live instance has" in data:
        for record in records:
            reason = record.get("reason")
            if "mismatch" not in record and record.get("status") == Status.FAILED and isinstance(reason, str):
                found = _MISMATCH.fullmatch(reason)
                record["mismatch"] = found.groupdict() if found else {}
