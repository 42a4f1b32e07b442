"""Arrow tables of a run's lines, and DataFrames of them: whole columns, never line by line in Python.

Only files without any fault are read here. Whatever is out of the ordinary raises Uncommon, and the reader of single lines
(:func:`bench.store.lines.lines`) says what it is and where.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.core.model import Measurement, Outcome
from bench.store import lines, older, shape

if TYPE_CHECKING:
    import pandas as pd

    Kind = type[Measurement] | type[Outcome]

TEXTS = frozenset({"run_id", "scenario", "target", "engine", "metric", "unit", "status", "reason", "kind"})
"""Fields that are texts."""

_WHOLE = frozenset({"block", "order", "invocation", "iteration"})
"""Fields that are integers."""

_NUMBERS = frozenset({"value", "at_s", "request_mono_s", "wall_s", "harness_s", "measurements"})
"""Fields that are numbers, integers when all of them are; some may be null."""

_GAPS = frozenset({"request_mono_s", "measurements"})
"""Those that may be null."""

_EXACT = 2.0**63
"""Size from which a float may stand for an integer that a fast reader did not keep."""


class Uncommon(Exception):
    """Something that only the reader of single lines may judge."""


def of_lines(path: Path, kind: Kind, defaults: Mapping[str, Any]) -> Any:
    """Return the complete lines of a file as a table: texts, and objects as JSON text, are dictionaries.

    ``defaults`` has the values of fields that an older Tare did not write; what it wrote differently is converted.

    Raises:
        Uncommon: The file is missing or damaged, or has a value that needs a closer look.
        ImportError: pyarrow or orjson is not installed.
    """
    import pyarrow as pa  # noqa: PLC0415 - only readers need it

    names = [field.name for field in dataclasses.fields(kind)]
    try:
        parts = [_columns(block, kind, defaults) for block in lines.blocks(path)]
        columns = [_joined(name, list(column)) for name, column in zip(names, zip(*parts, strict=True), strict=False)]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, pa.ArrowException) as error:
        raise Uncommon from error
    if not columns:
        raise Uncommon
    table = pa.table(dict(zip(names, columns, strict=True)))
    if kind is Measurement and _differ(_units(table)):
        raise Uncommon
    return table


def in_parts(path: Path, kind: Kind, defaults: Mapping[str, Any], rows: int) -> Iterator[Any]:
    """Yield the complete lines of a file as tables of one schema with at least so many rows each, the last one perhaps fewer.

    Memory does not grow with the file. Arguments and errors as in :func:`of_lines`; also Uncommon where numbers of a column are
    integers in one part and floats in another.
    """
    import pyarrow as pa  # noqa: PLC0415

    schema, parts = None, []
    pairs: dict[tuple[str, str], None] = {}
    for table in map(_single, lines.blocks(path), repeat(kind), repeat(defaults)):
        schema = table.schema if schema is None else schema
        if kind is Measurement:
            pairs |= dict.fromkeys(_units(table))
        if table.schema != schema or _differ(pairs):
            raise Uncommon
        parts.append(table)
        if sum(map(len, parts)) >= rows:
            yield pa.concat_tables(parts).unify_dictionaries()
            parts = []
    if parts:
        yield pa.concat_tables(parts).unify_dictionaries()


def _single(block: bytes, kind: Kind, defaults: Mapping[str, Any]) -> Any:
    """Return complete lines as a table."""
    import pyarrow as pa  # noqa: PLC0415

    names = [field.name for field in dataclasses.fields(kind)]
    try:
        columns = [[column] for column in _columns(block, kind, defaults)]
        return pa.table({name: _joined(name, column) for name, column in zip(names, columns, strict=True)})
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, pa.ArrowException) as error:
        raise Uncommon from error


def _columns(block: bytes, kind: Kind, defaults: Mapping[str, Any]) -> list[Any]:
    """Return complete lines as checked columns."""
    records, dumps = _records(block)
    convert = older.convert_outcomes if kind is Outcome else older.convert_measurements
    convert(block, records)
    columns = shape.values_of(records, kind)
    return [_array(name, column, defaults.get(name), dumps) for name, column in columns.items()]


def _records(block: bytes) -> tuple[list[dict[str, Any]], Callable[[Any], Any]]:
    """Parse complete lines; also return the function that writes their objects as text."""
    import orjson  # noqa: PLC0415 - only readers need it

    size = block.count(b"\n")
    try:
        records = orjson.loads(b"[" + block[:-1].replace(b"\n", b",") + b"]")
        if len(records) == size and set(map(type, records)) == {dict}:
            return records, orjson.dumps
    except orjson.JSONDecodeError:  # also NaN and infinity, which the standard library reads and writes
        pass
    found = lines.at_once(block[:-1], size)
    if found is None:
        raise Uncommon
    return found, json.dumps


def _array(name: str, values: Sequence[Any], default: Any, dumps: Callable[[Any], Any]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    if name not in TEXTS | _NUMBERS | _WHOLE | {"warmup"}:
        return _objects(name, values, default, dumps)
    if default is not None and None in values:
        values = [default if value is None else value for value in values]
    if not shape.is_valid(name, [value for value in values if value is not None] if name in _GAPS else values):
        raise Uncommon
    if name in _NUMBERS:
        return _numbers(values)
    if name in _WHOLE or name == "warmup":
        return pa.array(values, pa.bool_() if name == "warmup" else pa.int64())
    return pa.array(values, pa.string()).dictionary_encode()


def _objects(name: str, values: Sequence[Any], default: Any, dumps: Callable[[Any], Any]) -> Any:
    """Return objects as text; each distinct one is checked once."""
    import pyarrow as pa  # noqa: PLC0415

    empty = b"[]" if isinstance(default, list) else b"{}"
    if not any(values) and shape.is_valid(name, values):
        return pa.DictionaryArray.from_arrays(np.zeros(len(values), dtype=np.int32), pa.array([empty], pa.string()))
    texts = [dumps(value) if value else empty for value in values]
    distinct = dict(zip(texts, values, strict=True))
    nothing = [value for value in values if not value]
    if not shape.is_valid(name, [*distinct.values(), *nothing]):
        raise Uncommon
    return pa.array(texts, pa.string()).dictionary_encode()


def _numbers(values: Sequence[Any]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {int}:
        return pa.array(values, pa.int64())
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if np.any(np.isfinite(found) & (np.abs(found) >= _EXACT)):
        raise Uncommon
    return pa.array(found, mask=np.array([value is None for value in values]) if None in values else None)


def _joined(name: str, parts: Sequence[Any]) -> Any:
    """Return one column of its batches; numbers of several kinds become floats."""
    import pyarrow as pa  # noqa: PLC0415

    kinds = {part.type for part in parts}
    if len(kinds) > 1:
        kind = pa.float64() if pa.float64() in kinds else pa.int64()
        parts = [part.cast(kind) for part in parts]
    column = pa.chunked_array(parts)
    if not pa.types.is_dictionary(column.type):
        return column
    whole = column.unify_dictionaries().combine_chunks()
    return whole if name in TEXTS else _normal(name, whole)


def _normal(name: str, column: Any) -> Any:
    """Write each distinct object as the standard library does; parameters with sorted keys, so that equal ones are one text."""
    import pyarrow as pa  # noqa: PLC0415

    places: dict[str, int] = {}
    codes = []
    for text in column.dictionary.to_pylist():
        value = json.loads(text)
        _refuse_large(value)
        plain = json.dumps(value, sort_keys=name == "params", ensure_ascii=name == "params")
        codes.append(places.setdefault(plain, len(places)))
    found = np.array(codes, dtype=np.int32)[column.indices.to_numpy()]
    return pa.DictionaryArray.from_arrays(found, pa.array(list(places), pa.string()))


def _refuse_large(value: Any) -> None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _refuse_large(one)
    elif isinstance(value, float) and abs(value) >= _EXACT:
        raise Uncommon


def _units(table: Any) -> list[tuple[str, str]]:
    """Return each metric with each of its units."""
    pairs = table.select(["metric", "unit"]).group_by(["metric", "unit"], use_threads=False).aggregate([])
    return list(zip(pairs["metric"].to_pylist(), pairs["unit"].to_pylist(), strict=True))


def _differ(pairs: Collection[tuple[str, str]]) -> bool:
    """Say whether a metric has two units, or another one than it must have."""
    known = shape.units(pairs)
    return any(known[metric] != unit for metric, unit in pairs)


def frame(table: Any, kind: Kind) -> pd.DataFrame:
    """Return a table's columns as a DataFrame: texts of measurements as categoricals, sorted; equal objects are one object."""
    import pandas as pd  # noqa: PLC0415 - only readers need pandas
    import pyarrow as pa  # noqa: PLC0415

    made: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            whole = column.unify_dictionaries().combine_chunks()
            if kind is Measurement:
                made[name] = _categorical(whole.dictionary.to_pylist(), whole.indices.to_numpy())
            elif name in TEXTS or name == "params":
                made[name] = whole.dictionary_decode().to_pandas()
            else:
                made[name] = _objects_of(whole.dictionary.to_pylist(), whole.indices.to_numpy())
        elif pa.types.is_null(column.type):
            made[name] = pd.Series([None] * len(column), dtype=object)
        else:
            made[name] = column.to_numpy()
    return pd.DataFrame(made)


def _categorical(values: Sequence[str], codes: Any) -> Any:
    """Return texts as codes whose order is that of the texts, so that groups and sorting are those of plain texts."""
    import pandas as pd  # noqa: PLC0415

    order = sorted(range(len(values)), key=values.__getitem__)
    rank = np.empty(len(values), dtype=np.int32)
    rank[order] = np.arange(len(values), dtype=np.int32)
    return pd.Categorical.from_codes(rank[codes], categories=pd.Index([values[place] for place in order]))


def _objects_of(texts: Sequence[str], codes: Any) -> Any:
    """Return the objects that a column has as JSON text; those of equal texts are one object."""
    distinct = np.empty(len(texts), dtype=object)
    distinct[:] = [json.loads(text) for text in texts]
    return distinct[codes]
