"""Cost of the dataset and of its queries: ``python -m tests.benchmarks.lake_cost [--compact] [--folder DIR] RUNS…``.

Runs are like the sample run (9,626 measurements), with every value multiplied by a random factor, and written directly in the form of
the dataset: nothing is measured or exported. First the export itself is timed, then, for each number of runs, a dataset of as many is
made and the documented queries are timed on it: by DuckDB, and by Dask with a worker a CPU. With ``--compact`` a day is one file
(DuckDB only). CPU seconds are those of this process, and of the workers.

A hundred million measurements, in 6 GB of memory and 12 GB of disk: ``--compact --by-day 10389``. Making them holds one day in memory, the
queries spill to disk beyond ``--memory``, and ``--by-day`` computes ``series.sql`` a day at a time, since medians do not spill.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from distributed import Client, LocalCluster

from bench import store
from bench.core.clock import now_s, self_cpu_s
from bench.interchange import dataset
from bench.interchange.dataset import rows
from bench.interchange.dataset.place import Place

ROOT = Path(__file__).parents[2]
QUERIES = ROOT / "docs/queries"
HOSTS = 50
RUN_BYTES, RUN_BYTES_COMPACT = 420_000, 75_000
"""Bytes on disk of a run, as exported and compact."""
VALUES = {"measurements": "value", "series": "median"}
"""Table → the column that differs from run to run."""
SPILL_BYTES = 10_000_000_000
FIRST = datetime(2026, 1, 1, 2, tzinfo=UTC)
MEASUREMENTS_OF_A_DAY = "SELECT * FROM memory.main.measurements WHERE date = DATE '{day}'"
Tables = dict[str, dict[str, pa.Table]]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("runs", type=int, nargs="+")
    options.add_argument("--compact", action="store_true")
    options.add_argument("--by-day", action="store_true", help="compute series.sql a day at a time")
    options.add_argument("--memory", default="6GB", help="DuckDB's memory limit; default 6GB")
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lake-", dir=given.folder))
    try:
        sample = store.load(ROOT / "results/sample")
        room(folder, sum(given.runs), compact=given.compact)
        export_cost(folder, sample)
        for count in given.runs:
            root = folder / str(count)
            spent(f"{count} runs: made", partial(grow, root, sample, count, compact=given.compact))
            told(root)
            query(root, given.memory, by_day=given.by_day)
            shutil.rmtree(root)
    finally:
        shutil.rmtree(folder)


def room(folder: Path, runs: int, *, compact: bool) -> None:
    """Refuse to begin what the disk has no room for: the dataset, and what queries spill."""
    needs = runs * (RUN_BYTES_COMPACT if compact else RUN_BYTES) + SPILL_BYTES
    if (free := shutil.disk_usage(folder).free) < needs:
        raise SystemExit(
            f"{runs} runs need {needs / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free: use --folder"
        )


def export_cost(folder: Path, sample: store.Run, count: int = 20) -> None:
    """Time the export of new and of unchanged runs; their lines are links to those of the sample run."""
    runs = [copy(folder / "results", sample, number) for number in range(count)]
    root = folder / "exported"
    for what in ("new", "unchanged"):
        spent(f"export of {count} {what} runs", partial(exported, runs, root))
    told(root)
    lines = sum(
        (sample.path / name).stat().st_size for name in (store.MEASUREMENTS, store.OUTCOMES, store.PLAN, "run.json")
    )
    print(f"  a run as JSON lines: {lines / 1e6:.2f} MB, {len(store.measurements(sample))} measurements")
    shutil.rmtree(root)


def exported(runs: Sequence[Path], root: Path) -> None:
    dataset.export(map(store.load, runs), str(root))


def copy(results: Path, sample: store.Run, number: int) -> Path:
    path = results / f"run-{number:05d}"
    path.mkdir(parents=True)
    for name in (store.MEASUREMENTS, store.OUTCOMES, store.PLAN):
        shutil.copy2(sample.path / name, path / name)
    began = FIRST + timedelta(days=number)
    meta = {**sample.meta, "run_id": path.name, "host": "h0", "started_at": began.isoformat()}
    (path / "run.json").write_text(json.dumps(meta), encoding="utf-8")
    return path


def grow(root: Path, sample: store.Run, count: int, *, compact: bool) -> None:
    """Write a dataset of ``count`` runs: fifty hosts, then the next night."""
    dataset.export([], str(root))
    place, rng = Place(str(root)), np.random.default_rng(1)
    like = rows.described(sample)
    assert like is not None
    lines = rows.lines_of(sample)
    tables: Tables = {"measurements": rows.measurements(lines, like), "series": rows.series(lines, like)}
    nights = {} if not compact else {kind: day_of(parts, HOSTS) for kind, parts in tables.items()}
    for night in range(-(-count // HOSTS)):
        runs = [described(like, host, night) for host in range(min(HOSTS, count - night * HOSTS))]
        factors = [1.2 ** (host == 7) * np.exp(rng.normal(0, 0.02)) for host in range(len(runs))]
        for kind, day in nights.items():
            write(place, f"{kind}/date={runs[0].date}/all.parquet", night_of(day, runs, factors, VALUES[kind]))
        commits = []
        for one, factor in zip(runs, factors, strict=True):
            files = [] if compact else one_run(place, one, tables, factor)
            commits.append(rows.manifest(one, files, {"measurements": 0, "series": 1}))
        write(place, f"runs/{night:05d}.parquet", pa.concat_tables(commits))


def described(like: rows.Described, host: int, night: int) -> rows.Described:
    began = FIRST + timedelta(days=night)
    name = f"h{host:04d}"
    return replace(like, run_id=f"{name}-{night:04d}", host=name, started_at=began, suite="nightly", again=False)


def one_run(place: Place, one: rows.Described, tables: Tables, factor: float) -> list[str]:
    files = []
    for kind, by_scenario in tables.items():
        for scenario, table in by_scenario.items():
            moved = varied(
                table, [one.run_id], np.zeros(len(table), np.int32), np.full(len(table), factor), VALUES[kind]
            )
            files.append(f"{kind}/host={one.host}/date={one.date}/scenario={scenario}/{one.run_id}.parquet")
            write(place, files[-1], moved)
    return files


def day_of(by_scenario: dict[str, pa.Table], hosts: int) -> pa.Table:
    """Return the rows of a whole day, host after host."""
    parts = [table.append_column("scenario", constant(name, len(table))) for name, table in by_scenario.items()]
    one = pa.concat_tables(parts)
    whole = pa.concat_tables([one] * hosts).unify_dictionaries()
    numbers = np.repeat(np.arange(hosts, dtype=np.int32), len(one))
    names = pa.array([f"h{host:04d}" for host in range(hosts)])
    return whole.append_column("host", pa.DictionaryArray.from_arrays(pa.array(numbers), names)).combine_chunks()


def night_of(day: pa.Table, runs: Sequence[rows.Described], factors: Sequence[float], column: str) -> pa.Table:
    """Return a day's rows as those of one night, in which each host has a run and a factor."""
    of_host = len(day) // HOSTS
    numbers = np.repeat(np.arange(len(runs), dtype=np.int32), of_host)
    found = day.slice(0, len(numbers))
    return varied(found, [one.run_id for one in runs], numbers, np.repeat(factors, of_host), column)


def varied(table: pa.Table, run_ids: Sequence[str], numbers: Any, factors: Any, column: str) -> pa.Table:
    """Return a table with the values multiplied row by row, and with the ids of other runs."""
    values = pa.array(table[column].to_numpy() * factors)
    table = table.set_column(table.column_names.index(column), column, values)
    ids = pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(run_ids))
    return table.set_column(table.column_names.index("run_id"), "run_id", ids)


def constant(value: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, dtype=np.int32)), pa.array([value]))


def write(place: Place, path: str, table: pa.Table) -> None:
    place.write(path, dataset._parquet(table))  # the form that the export writes


def told(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file()]
    sizes: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for path in files:
        part = path.relative_to(root).parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
        blocks[part] = blocks.get(part, 0) + path.stat().st_blocks * 512
    parts = ", ".join(
        f"{part} {size / 1e6:.2f} ({blocks[part] / 1e6:.2f} on disk)" for part, size in sorted(sizes.items())
    )
    print(f"  {len(files)} files; MB: {parts}", flush=True)


def query(root: Path, memory: str, *, by_day: bool) -> None:
    """Time the queries in both engines."""
    with duckdb.connect() as connection:
        connection.execute(
            f"SET VARIABLE root = '{root}'; SET temp_directory = '{root}.tmp'; SET memory_limit = '{memory}'; "
            f"SET max_temp_directory_size = '{SPILL_BYTES // 10**9}GB'; SET preserve_insertion_order = false"
        )
        connection.execute((QUERIES / "views.sql").read_text(encoding="utf-8"))
        count = connection.execute("SELECT count(*) FROM measurements").fetchone()
        print(f"  {count} measurements", flush=True)
        for name in ("series", "slopes", "apart", "tonight"):
            text = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
            asked = daily if by_day and name == "series" else with_duckdb
            spent(f"  DuckDB {name}", partial(asked, connection, text))
    spec = importlib.util.spec_from_file_location("with_dask", QUERIES / "with_dask.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if next((root / "series").glob("date=*"), None):
        return  # Dask reads the form of the export
    with (
        LocalCluster(n_workers=os.cpu_count(), threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):

        def cpu_s() -> float:
            return self_cpu_s() + float(sum(client.run(self_cpu_s).values()))

        for name in ("slopes", "apart", "tonight"):
            spent(f"  Dask {name}", partial(with_dask, getattr(module, name), str(root)), cpu_s)


def daily(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    """Ask of every day by itself; return the number of rows in all."""
    days = connection.execute("SELECT DISTINCT CAST(date AS VARCHAR) FROM runs ORDER BY ALL").fetchall()
    total = 0
    for (day,) in days:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW measurements AS {MEASUREMENTS_OF_A_DAY.format(day=day)}")
        total += with_duckdb(connection, text)
    connection.execute("DROP VIEW temp.measurements")
    return total


def with_duckdb(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    return len(connection.execute(text).fetchall())


def with_dask(function: Callable[[str], Any], root: str) -> int:
    return len(function(root).compute())


def spent(what: str, function: Callable[[], Any], cpu_s: Callable[[], float] = self_cpu_s) -> None:
    """Print wall seconds, CPU seconds and the peak memory of this process so far."""
    began, cpu = now_s(), cpu_s()
    result = function()
    rows_of = f", {result} rows" if isinstance(result, int) else ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{what}: {now_s() - began:.2f} s, CPU {cpu_s() - cpu:.2f} s, peak {peak:.0f} MB{rows_of}", flush=True)


if __name__ == "__main__":
    main()
