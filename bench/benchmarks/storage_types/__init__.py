"""Benchmark ``storage-types``: how fast layers, volumes, bind mounts and disks are, and whether they keep data as documented."""

from __future__ import annotations

from bench.benchmarks.base import FIO, SIZE, Benchmark, Param, Question
from bench.invocation.metrics import STORAGE_IO

BENCHMARK = Benchmark(
    name="storage-types",
    package=__name__,
    metrics=STORAGE_IO,
    params={
        "jobs": Param("all", "direct: only the fio jobs past the page cache, and fsync", ("all", "direct")),
        "files": Param(500, "small files", minimum=10),
        "memory_bytes": SIZE["memory_bytes"],
        **FIO,
    },
    primary=("storage.read_bytes_per_s", "storage.write_bytes_per_s", "storage.fsync_s", "storage.metadata_per_s"),
    questions=(Question("fsync", "of the data", "Storage", "storage.fsync_s"),),
)
