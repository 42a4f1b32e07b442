"""Export runs as a Hive-partitioned Parquet dataset, for engines that read many hosts' nights at once (docs/scale.md).

    ROOT/tare-dataset.json                                        format and version
         metrics.parquet                                          unit, direction, floor and smallest effect of each metric
         runs/RUN.parquet                                         one row: the run is there, with this digest
         measurements/host=H/date=D/scenario=S/RUN.DIGEST.parquet
         series/host=H/date=D/scenario=S/RUN.DIGEST.parquet

The row in ``runs`` is the commit record: it is written last, as one object. Rows whose ``run_id`` and ``digest`` it does not have
belong to an export that was interrupted, or to content that was replaced, and queries leave them out by joining it.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bench import store
from bench.core.clock import wall_time
from bench.core.errors import StoreError, UsageError
from bench.core.model import RunState
from bench.interchange.dataset import notes, rows
from bench.interchange.dataset.place import Place

FORMAT = "tare-dataset"
_MARKER = f"{FORMAT}.json"
_METRICS = "metrics.parquet"


@dataclass
class Exported:
    """What an export did: ids of runs, and notes for people."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export(runs: Iterable[store.Run], address: str, told: Callable[[], object] = lambda: None) -> Exported:
    """Bring a dataset up to date with runs: what is there unchanged is not written again; ``told`` is called after each run.

    Raises:
        UsageError: A package is missing, or the place has something else than a dataset of this version.
        StoreError: The place cannot be read or written; the runs before are there.
    """
    place = Place(address)
    _prepare(place)
    done, seen = Exported(), dict[str, rows.Described]()
    for run in runs:
        if (one := _wanted(run, seen, done)) is not None:
            seen[run.run_id] = one
            _add(place, run, one, done)
        told()
    done.notes += notes.notes(list(seen.values()), wall_time())
    return done


def _prepare(place: Place) -> None:
    """Check that the place has a dataset of this version, or make one where there is nothing."""
    told = place.read(_MARKER)
    if told is not None:
        _check(place, told)
    elif [name for name in place.names() if not name.startswith(".")]:
        msg = f"'{place.address}' has files and is not a dataset of Tare ({_MARKER} is missing): name an empty or a new folder"
        raise UsageError(msg)
    else:
        place.write(_MARKER, (json.dumps({"format": FORMAT, "version": rows.VERSION}) + "\n").encode())
    known = _parquet(rows.rules())
    if place.read(_METRICS) != known:
        place.write(_METRICS, known)


def _check(place: Place, told: bytes) -> None:
    try:
        found: Mapping[str, Any] = json.loads(told)
        version = found["version"] if found["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError):
        version = None
    if version != rows.VERSION:
        what = (
            "cannot be read" if version is None else f"says version {version}, this Tare writes version {rows.VERSION}"
        )
        msg = (
            f"'{place.address}/{_MARKER}' {what}: export into a new folder, or use the Tare that wrote the dataset; runs can be "
            "exported again at any time"
        )
        raise UsageError(msg)


def _wanted(run: store.Run, seen: Mapping[str, rows.Described], done: Exported) -> rows.Described | None:
    """Describe a run that is to be in the dataset; note why one is not."""
    if run.run_id in seen:
        done.notes.append(f"{run.path.name} is a copy of the run {run.run_id}, left out")
        return None
    if run.meta.get("state") != RunState.COMPLETE:
        done.notes.append(f"{run.run_id} did not finish (state: {run.meta.get('state')}), left out")
        return None
    done.notes += [f"{run.run_id}: {text}" for text in run.warnings]
    one = rows.described(run)
    if one is None:
        done.notes.append(f"{run.run_id} has no start time (started_at), left out")
    return one


def _add(place: Place, run: store.Run, one: rows.Described, done: Exported) -> None:
    """Write a run unless it is there: its tables first, then its row, then what it replaces goes."""
    name = quote(one.run_id, safe="")
    commit = f"runs/{name}.parquet"
    before = _committed(place, commit)
    if before is not None and before["digest"] == one.digest:
        done.unchanged.append(one.run_id)
        return
    written: list[str] = []
    try:
        counts = _write_tables(place, run, one, written)
        place.write(commit, _parquet(rows.manifest(one, written, counts)))
    except BaseException:
        _undo(place, commit, one, written)
        raise
    place.remove(path for path in (before or {}).get("files", ()) if path not in written)
    (done.added if before is None else done.replaced).append(one.run_id)


def _committed(place: Place, commit: str) -> Mapping[str, Any] | None:
    """Return the row of a run that is there; one that is damaged counts as absent, so that it is written again."""
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it here
    import pyarrow.parquet as pq  # noqa: PLC0415

    data = place.read(commit)
    try:
        found: Mapping[str, Any] | None = None if data is None else pq.read_table(io.BytesIO(data)).to_pylist()[0]
        return found if found is None or {"digest", "files"} <= set(found) else None
    except (pa.ArrowException, IndexError, OSError):
        return None


def _write_tables(place: Place, run: store.Run, one: rows.Described, written: list[str]) -> dict[str, int]:
    """Write the tables of a run and return the number of their rows; ``written`` gets each path before the file."""
    where = f"host={quote(one.host, safe='')}/date={one.date}"
    name = f"{quote(one.run_id, safe='')}.{one.digest}.parquet"
    counts, lines = {}, rows.lines_of(run)
    for kind, made in (("measurements", rows.measurements(lines, one)), ("series", rows.series(lines, one))):
        counts[kind] = sum(len(table) for table in made.values())
        for scenario, table in made.items():
            path = f"{kind}/{where}/scenario={quote(scenario, safe='')}/{name}"
            written.append(path)
            place.write(path, _parquet(table))
    return counts


def _undo(place: Place, commit: str, one: rows.Described, written: Iterable[str]) -> None:
    """Remove what an interrupted export wrote of a run, unless another process has committed the same meanwhile.

    What cannot be removed now does not count, because no row commits it.
    """
    with contextlib.suppress(StoreError):
        found = _committed(place, commit)
        if found is None or found["digest"] != one.digest:
            place.remove(written)


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq  # noqa: PLC0415

    data = io.BytesIO()
    plain = table.replace_schema_metadata(None)  # what Arrow and pandas note of themselves is larger than a small table
    pq.write_table(plain, data, compression="zstd", store_schema=False)
    return data.getvalue()
