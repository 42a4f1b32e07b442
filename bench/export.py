"""A run's measurements in other formats, as taken: every column, every row, no statistics."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from bench import store
from bench.errors import UsageError, unknown

Exporter = Callable[[store.Run], str | bytes]


def export(run: store.Run, fmt: str) -> str | bytes:
    """Return the run in a format of :data:`FORMATS`.

    Raises:
        UsageError: There is no such format, or the run cannot be read.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    return FORMATS[fmt](run)


def _jsonl(run: store.Run) -> str:
    """Write one JSON object a line, ``params`` as an object."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in _records(run))


def _csv(run: store.Run) -> str:
    """Write comma-separated values (RFC 4180, but lines end in LF) with a header, ``params`` as JSON text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, store.MEASUREMENT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in _records(run):
        flags = "true" if record["warmup"] else "false"  # spelled as in JSON: the same in every reader
        writer.writerow({**record, "params": json.dumps(record["params"], ensure_ascii=False), "warmup": flags})
    return text.getvalue()


def _records(run: store.Run) -> Iterator[dict[str, Any]]:
    """Yield the measurements with plain Python values, keys in the order of ``Measurement``."""
    frame = store.measurements(run)
    columns = [frame[name].tolist() for name in store.MEASUREMENT_COLUMNS]
    for row in zip(*columns, strict=True):
        record = dict(zip(store.MEASUREMENT_COLUMNS, row, strict=True))
        yield {**record, "params": json.loads(record["params"])}


FORMATS: dict[str, Exporter] = {"jsonl": _jsonl, "csv": _csv}
"""Format name → what writes it; another format is one function and one line here."""
