"""Export all measurements unchanged: every row and every column."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from bench import store
from bench.core.errors import UsageError
from bench.interchange.series import finite


def jsonl(run: store.Run) -> str:
    """Write JSON Lines: one object per measurement, ``params`` as an object, NaN and infinity as null."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in _records(run))


def comma_separated(run: store.Run) -> str:
    """Write CSV with a header (RFC 4180, but lines end in LF), ``params`` as JSON text."""
    lines = [",".join(store.MEASUREMENT_COLUMNS)]
    for record in _records(run):
        flags = "true" if record["warmup"] else "false"  # spelled as in JSON
        fields = {**record, "params": json.dumps(record["params"], ensure_ascii=False), "warmup": flags}
        lines.append(",".join(_field(fields[name]) for name in store.MEASUREMENT_COLUMNS))
    return "".join(f"{line}\n" for line in lines)


def _field(value: Any) -> str:
    """Write a field; ``csv.writer`` leaves a carriage return unquoted when lines end in LF, and readers then end the line."""
    text = "" if value is None else str(value)
    quoted = any(mark in text for mark in ',"\r\n') or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if quoted else text


def parquet(run: store.Run) -> bytes:
    """Write Apache Parquet with the same columns, ``params`` as JSON text.

    Raises:
        UsageError: pyarrow is not installed.
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
    """Yield each measurement as plain Python values, keys in the order of ``Measurement``."""
    frame = store.measurements(run)
    columns = [frame[name].tolist() for name in store.MEASUREMENT_COLUMNS]
    for row in zip(*columns, strict=True):
        record = dict(zip(store.MEASUREMENT_COLUMNS, row, strict=True))
        numbers = {name: finite(record[name]) for name in ("value", "at_s")}
        yield {**record, **numbers, "params": json.loads(record["params"])}
