"""Measurements as taken: every column, every row, no statistics."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from bench import store
from bench.core.errors import UsageError
from bench.interchange.series import finite


def jsonl(run: store.Run) -> str:
    """Write one JSON object a line, ``params`` as an object; what is no finite number is null, JSON has no other word for it."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in _records(run))


def comma_separated(run: store.Run) -> str:
    """Write comma-separated values (RFC 4180, but lines end in LF) with a header, ``params`` as JSON text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, store.MEASUREMENT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in _records(run):
        flags = "true" if record["warmup"] else "false"  # spelled as in JSON: the same in every reader
        writer.writerow({**record, "params": json.dumps(record["params"], ensure_ascii=False), "warmup": flags})
    return text.getvalue()


def parquet(run: store.Run) -> bytes:
    """Write Apache Parquet with the same columns, ``params`` as JSON text.

    Raises:
        UsageError: The package that writes it is not installed.
    """
    frame = store.measurements(run)
    data = io.BytesIO()
    try:
        frame.to_parquet(data, engine="pyarrow", index=False)
    except ImportError as error:
        msg = "the format parquet needs the Python package 'pyarrow': pip install 'tare-bench[parquet]'"
        raise UsageError(msg) from error
    return data.getvalue()


def _records(run: store.Run) -> Iterator[dict[str, Any]]:
    """Yield the measurements with plain Python values, keys in the order of ``Measurement``."""
    frame = store.measurements(run)
    columns = [frame[name].tolist() for name in store.MEASUREMENT_COLUMNS]
    for row in zip(*columns, strict=True):
        record = dict(zip(store.MEASUREMENT_COLUMNS, row, strict=True))
        numbers = {name: finite(record[name]) for name in ("value", "at_s")}
        yield {**record, **numbers, "params": json.loads(record["params"])}
