"""The documented queries, run by DuckDB and by workers of Dask, give what Tare itself says of the same runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from bench import store
from bench.interchange import dataset
from bench.interchange.dataset import rows
from bench.interchange.dataset.place import Place
from bench.stats import panel
from tests.panel_runs import SLOPE, fleet, name, run_id

QUERIES = Path(__file__).parents[2] / "docs/queries"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[store.Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [store.load(folder / one) for one in fleet(folder)]


@pytest.fixture(scope="module")
def root(runs: list[store.Run], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a dataset of all runs, in which an interrupted export of one more has left its tables."""
    folder = tmp_path_factory.mktemp("lake")
    dataset.export(runs, str(folder))
    place, one = Place(str(folder)), rows.described(runs[0])
    assert one is not None
    for kind in ("series", "measurements"):
        (path,) = folder.glob(f"{kind}/*/date={one.date}/scenario=startup/{one.run_id}.*")
        place.write(str(path.with_name("other.parquet").relative_to(folder)), other(path))
    return str(folder)


def other(path: Path) -> bytes:
    """Return a table as it would be of the same run with other content, which was never committed."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pq.read_table(path, partitioning=None)
    digests = pa.array(["0" * 16] * len(table))
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(table.column_names.index("digest"), "digest", digests), sink)
    return bytes(sink.getvalue())


@pytest.fixture(scope="module")
def own(runs: list[store.Run]) -> dict[str, pd.DataFrame]:
    """Return Tare's own answers, from the runs and not from the dataset."""
    known, rules = rows.panel(runs), rows.rules().to_pandas()
    return {
        "slopes": panel.slopes(known),
        "apart": panel.apart(known, rules),
        "tonight": panel.regressed_tonight(known, rules),
        "series": known[["run_id", "scenario", "target", "params", "metric", "n", "median"]],
    }


@pytest.fixture(scope="module")
def duck(root: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"SET VARIABLE root = '{root}'")
        connection.execute((QUERIES / "views.sql").read_text(encoding="utf-8"))
        yield connection


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Start two worker processes on this host, with a scheduler between them as between machines."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@pytest.fixture(scope="module")
def dask_queries() -> ModuleType:
    spec = importlib.util.spec_from_file_location("with_dask", QUERIES / "with_dask.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Check that two answers have the same rows, and numbers that differ by rounding alone."""
    names = [str(name) for name in expected if name not in NUMBERS]
    frames = [
        one[list(expected)].astype(dict.fromkeys(names, "object")).sort_values(names) for one in (found, expected)
    ]
    left, right = (one.reset_index(drop=True) for one in frames)
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-7)


NUMBERS = {"slope", "se", "n", "hosts", "ratio", "z", "half", "base", "median"}


def test_tares_own_answers_find_what_was_put_into_the_runs(own: dict[str, pd.DataFrame]) -> None:
    slope = own["slopes"].set_index("target")["slope"]
    assert slope["crept"] == pytest.approx(SLOPE, rel=0.1)
    assert own["apart"][["target", "host"]].to_numpy().tolist() == [["runc", name(1)]]
    tonight = own["tonight"].set_index("target")
    assert tonight.loc["crun", "run_id"] == run_id("h1", 7)
    assert set(tonight["run_id"]) <= {run_id(f"h{n}", 7) for n in range(5)}


@pytest.mark.parametrize("query", ["slopes", "apart", "tonight", "series"])
def test_duckdb_gives_tares_own_answer(
    duck: duckdb.DuckDBPyConnection, own: dict[str, pd.DataFrame], query: str
) -> None:
    same(duck.execute((QUERIES / f"{query}.sql").read_text(encoding="utf-8")).df(), own[query])


def test_compact_copy_gives_the_same_answers(
    duck: duckdb.DuckDBPyConnection, root: str, own: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    duck.execute(f"SET VARIABLE compact = '{tmp_path}'")
    duck.execute((QUERIES / "compact.sql").read_text(encoding="utf-8"))
    duck.execute(f"SET VARIABLE root = '{tmp_path}'")
    try:
        for query, answer in own.items():
            same(duck.execute((QUERIES / f"{query}.sql").read_text(encoding="utf-8")).df(), answer)
    finally:
        duck.execute(f"SET VARIABLE root = '{root}'")
    assert len(list(tmp_path.glob("series/*/*.parquet"))) == 8, "a night is one file"


@pytest.mark.parametrize("query", ["slopes", "apart", "tonight"])
def test_dask_workers_give_tares_own_answer(
    workers: Client, dask_queries: ModuleType, root: str, own: dict[str, pd.DataFrame], query: str
) -> None:
    found: Any = getattr(dask_queries, query)(root, parts=2)
    same(workers.compute(found, sync=True), own[query])  # type: ignore[no-untyped-call]


def test_quantiles_in_the_queries_are_those_of_tare(dask_queries: ModuleType) -> None:
    from bench.stats.fit import t_quantile  # noqa: PLC0415

    text = (QUERIES / "tonight.sql").read_text(encoding="utf-8")
    for nights, quantile in dask_queries.STUDENT.items():
        assert quantile == pytest.approx(t_quantile((1 + panel.LEVEL) / 2, nights - 1), rel=1e-11)
        assert f"({nights}, {quantile:.12f})" in text
