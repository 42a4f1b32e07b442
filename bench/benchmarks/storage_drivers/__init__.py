"""Benchmark ``storage-drivers``: what a storage driver costs: start, copy-up, metadata, throughput, page cache and unpacking."""

from __future__ import annotations

from bench.benchmarks.base import FIO, Benchmark, Param, Question
from bench.core.metrics import Metric
from bench.invocation.metrics import STORAGE_IO

_OPERATIONS = ("life", "copy-up", "metadata", "io", "cache", "unpack")

_METRICS = (
    Metric("storage.create_s", "s", "lower", 50e-6, 0.05, exact=False, title="create"),
    Metric("storage.start_s", "s", "lower", 50e-6, 0.05, exact=False, title="start → ready"),
    Metric("storage.remove_s", "s", "lower", 50e-6, 0.05, exact=False, title="remove"),
    Metric("storage.unpack_s", "s", "lower", 1e-3, 0.05, exact=False, title="unpack an image"),
    Metric(
        "storage.copy_up_s",
        "s",
        "lower",
        5e-6,
        0.05,
        exact=False,
        title="write 4 bytes into a file of the image",
        host_bound=True,
        explained_by=("store",),
    ),
    *STORAGE_IO,
    Metric("storage.used_bytes", "bytes", "lower", 65536, 0.02, exact=False, title="disk used"),
    Metric("storage.shared_cache_bytes", "bytes", "lower", 2**20, 0.05, exact=False, title="page cache of all readers"),
)

BENCHMARK = Benchmark(
    name="storage-drivers",
    package=__name__,
    metrics=_METRICS,
    params={
        "operation": Param("life", "what is measured", _OPERATIONS),
        "largest_bytes": Param(64 * 2**20, "largest file that is copied up, bytes", minimum=4096),
        "readers": Param(4, "instances that read the same file of the image", minimum=2),
        "files": Param(1000, "files of the metadata storm and the whiteouts", minimum=10),
        **FIO,
    },
    primary=("storage.copy_up_s", "storage.metadata_per_s", "storage.read_bytes_per_s", "storage.write_bytes_per_s"),
    questions=(
        Question(
            "First write", "file of an image", "Storage", "storage.copy_up_s", {"write": "first"}, largest="file_bytes"
        ),
    ),
)
