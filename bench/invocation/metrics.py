"""Metrics that several benchmarks measure."""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.metrics import Metric, Quantity
from bench.core.model import ParamValue


def startup_quantity(name: str) -> Quantity:
    """Return a time of one instance's life, or its CPU time, which scenarios with different parameters measure alike."""
    return Quantity(f"startup.{name}", given={"cache": "warm", "memory_bytes": 0, "cpus": 0, "touch_bytes": 0})


def memory_quantity(where: Mapping[str, ParamValue], ends: tuple[str, ...] = ()) -> Quantity:
    """Return what each further instance takes from MemAvailable, of the series with the parameters ``where``."""
    return Quantity("instance.memory", where, {"memory_bytes": 0, "cpus": 0, "touch_bytes": 0}, ends)


_STORE = ("store",)
"""Evidence that says on which file system and device the files are."""

STORAGE_IO = (
    Metric(
        "storage.fsync_s", "s", "lower", 20e-6, 0.1, exact=False, title="fsync", host_bound=True, explained_by=_STORE
    ),
    Metric(
        "storage.fsync_p99_s",
        "s",
        "lower",
        50e-6,
        0.1,
        exact=False,
        title="fsync, 99th percentile",
        host_bound=True,
        explained_by=_STORE,
        stepped=True,
    ),
    Metric(
        "storage.read_bytes_per_s",
        "bytes/s",
        "higher",
        2**20,
        0.05,
        exact=False,
        title="read",
        host_bound=True,
        explained_by=_STORE,
    ),
    Metric(
        "storage.write_bytes_per_s",
        "bytes/s",
        "higher",
        2**20,
        0.05,
        exact=False,
        title="written",
        host_bound=True,
        explained_by=_STORE,
    ),
    Metric(
        "storage.iops",
        "1/s",
        "higher",
        10,
        0.05,
        exact=False,
        title="operations",
        host_bound=True,
        explained_by=_STORE,
        shown_in="IOPS",
    ),
    Metric(
        # Removing a file of an image is less work where layers are shared: the driver only notes that it is gone.
        "storage.metadata_per_s",
        "1/s",
        "higher",
        10,
        0.05,
        exact=False,
        title="files",
        host_bound=True,
        unbound_where={"action": "whiteout"},
        explained_by=_STORE,
        shown_in="files/s",
    ),
)
"""Reads, writes, flushes and files, as fio and the payload count them. The same work as on the bare host."""

IMAGE_BYTES = Metric("image.bytes", "bytes", "lower", 0, 0.0, exact=True, title="on disk")
IMAGE_LAYERS = Metric("image.layers", "count", "lower", 0, 0.0, exact=True, title="layers")
