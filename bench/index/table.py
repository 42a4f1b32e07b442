"""The series of many runs as one DataFrame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.index.packed import Columns

COLUMNS = ("run_id", "scenario", "target", "params", "metric", "unit", "n", "median", "ci_low", "ci_high", "failures")


def of_columns(
    parts: Sequence[tuple[str, Columns]], names: Mapping[int, Sequence[str]], chosen: Collection[int]
) -> pd.DataFrame:
    """Return one row a chosen series of each run, in the order of the runs; texts are categoricals."""
    if not parts:
        return pd.DataFrame({name: [] for name in COLUMNS})
    sizes = [len(columns.key) for _, columns in parts]
    whole = Columns(*(np.concatenate(column) for column in zip(*(columns for _, columns in parts), strict=True)))
    kept = np.isin(whole.key, np.fromiter(chosen, dtype=np.int32, count=len(chosen)))
    numbers = np.array(sorted(names), dtype=np.int32)
    places = np.searchsorted(numbers, whole.key[kept])
    made: dict[str, Any] = {"run_id": _coded([run for run, _ in parts], np.repeat(np.arange(len(parts)), sizes)[kept])}
    for place, name in enumerate(COLUMNS[1:6]):
        made[name] = _coded([names[number][place] for number in numbers.tolist()], places)
    made |= {"n": whole.n[kept], "median": whole.median[kept], "ci_low": whole.low[kept], "ci_high": whole.high[kept]}
    return pd.DataFrame({**made, "failures": whole.failures[kept]})


def _coded(texts: Sequence[str], places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.Categorical:
    """Return texts by their places, as a categorical with sorted categories."""
    distinct = {text: code for code, text in enumerate(sorted(set(texts)))}
    codes = np.array([distinct[text] for text in texts], dtype=np.int32)
    return pd.Categorical.from_codes(codes[places], categories=pd.Index(list(distinct), dtype=object))
