"""The metric registry: what each number means, which way is better, and how it is shown.

Numbers are stored in base units (s, bytes, bytes/s, 1/s, ratio); prefixes exist only in :func:`format_value`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError, unknown

Unit = Literal["s", "bytes", "bytes/s", "1/s", "ratio", "count"]
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: ``family.quantity_unit``.
        unit: Base unit.
        better: Which direction is an improvement.
        floor: Differences smaller than this, in the metric's unit, are never called a change.
        min_effect: Smallest relative change worth reporting.
        exact: Whether the number is free of noise, so that any difference counts.
        title: A few words for a chart's axis.
    """

    name: str
    unit: Unit
    better: Better
    floor: float
    min_effect: float
    exact: bool
    title: str


def _startup(quantity: str, title: str) -> Metric:
    # 50 µs is about one scheduler wake-up on the hosts this was developed on: less is not a change of the target.
    return Metric(f"startup.{quantity}_s", "s", "lower", 50e-6, 0.03, exact=False, title=title)


def _weight(quantity: str, title: str) -> Metric:
    # 64 KiB is the batch in which a control group is charged on each CPU, and 16 pages: less is bookkeeping.
    return Metric(f"memory.{quantity}_bytes", "bytes", "lower", 65536, 0.05, exact=False, title=title)


_MEMORY = (
    _weight("slope", "memory, each further instance"),
    _weight("slope_low", "… lower end of the fit's 95 % interval"),
    _weight("slope_high", "… upper end of the fit's 95 % interval"),
    _weight("intercept", "memory, before the first instance"),
    Metric("memory.fit_r2", "ratio", "higher", 0.0, 0.01, exact=False, title="R² of memory over N"),
    _weight("available_delta", "taken from MemAvailable"),
    _weight("pss", "proportional set size"),
    _weight("rss", "resident set size"),
    _weight("uss", "unique set size"),
    _weight("anonymous", "anonymous and shared memory"),
    _weight("cgroup", "charged to control groups"),
    _weight("kernel", "kernel memory"),
    _weight("unexplained", "unexplained rest"),
    Metric("memory.unexplained_ratio", "ratio", "lower", 0.01, 0.05, exact=False, title="unexplained ÷ taken"),
    Metric("memory.network_namespaces", "count", "lower", 0, 0.0, exact=True, title="network namespaces"),
    Metric("memory.processes", "count", "lower", 0, 0.0, exact=True, title="processes"),
)
_DENSITY = (
    Metric("density.instances", "count", "higher", 0, 0.05, exact=False, title="instances at the end"),
    Metric("density.start_s", "s", "lower", 50e-6, 0.05, exact=False, title="start of the N-th"),
    Metric("density.launch_per_s", "1/s", "higher", 0.01, 0.05, exact=False, title="launch rate"),
    Metric("density.delete_per_s", "1/s", "higher", 0.01, 0.05, exact=False, title="removal rate"),
    Metric("density.alive_ratio", "ratio", "higher", 0.0, 0.01, exact=False, title="alive ÷ started"),
    Metric("density.available_bytes", "bytes", "higher", 2**20, 0.05, exact=False, title="MemAvailable left"),
    Metric("density.slope_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="memory, each further instance"),
    Metric("density.intercept_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="memory before the first"),
    Metric("density.fit_r2", "ratio", "higher", 0.0, 0.01, exact=False, title="R² of memory over N"),
    Metric(
        "density.extrapolated_instances", "count", "higher", 1, 0.05, exact=False, title="extrapolated to the floor"
    ),
)
_STACK = (
    Metric("stack.added_s", "s", "lower", 50e-6, 0.05, exact=False, title="added by this layer"),
    Metric("stack.cpu_s", "s", "lower", 50e-6, 0.05, exact=False, title="CPU time of the phase"),
    Metric("stack.added_cpu_s", "s", "lower", 50e-6, 0.05, exact=False, title="CPU time added by this layer"),
    Metric("stack.wall_s", "s", "lower", 50e-6, 0.05, exact=False, title="wall time of the phase"),
    Metric("stack.daemon_cpu_s", "s", "lower", 50e-6, 0.05, exact=False, title="daemons' CPU time a life"),
    Metric("stack.daemon_pss_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="daemons' memory"),
    Metric("stack.daemon_growth_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="daemons' growth a life"),
    Metric("stack.lives_per_s", "1/s", "higher", 0.01, 0.05, exact=False, title="lives under churn"),
)
_NAMESPACES = (
    Metric("namespace.create_s", "s", "lower", 1e-6, 0.05, exact=False, title="create a namespace"),
    Metric("namespace.destroy_s", "s", "lower", 1e-6, 0.05, exact=False, title="end its last process"),
    Metric("namespace.create_per_s", "1/s", "higher", 0.1, 0.05, exact=False, title="created and destroyed"),
    Metric("namespace.drain_s", "s", "lower", 1e-3, 0.05, exact=False, title="dead ones gone after"),
    Metric("namespace.processes_seen", "count", "lower", 1, 0.5, exact=False, title="processes seen"),
    Metric("namespace.interfaces_seen", "count", "lower", 0, 0.0, exact=True, title="interfaces seen"),
    Metric("namespace.mounts_seen", "count", "lower", 0, 0.0, exact=True, title="mounts seen"),
)
_LIMITS = (
    Metric("limit.achieved_ratio", "ratio", "higher", 0.01, 0.02, exact=False, title="achieved ÷ asked"),
    Metric("limit.ready_s", "s", "lower", 50e-6, 0.05, exact=False, title="request → ready"),
    Metric("limit.probe_s", "s", "lower", 1e-3, 0.05, exact=False, title="time observed"),
)
_COMPUTE = (
    Metric("compute.cpu_events_per_s", "1/s", "higher", 0.1, 0.02, exact=False, title="sysbench cpu events"),
    Metric("compute.memory_bytes_per_s", "bytes/s", "higher", 2**20, 0.02, exact=False, title="sysbench memory"),
    Metric("compute.syscall_s", "s", "lower", 1e-9, 0.02, exact=False, title="one system call"),
    Metric("compute.rounds_per_s", "1/s", "higher", 1, 0.02, exact=False, title="fixed computation"),
)

_NETWORK = (
    Metric("network.throughput_bytes_per_s", "bytes/s", "higher", 2**20, 0.05, exact=False, title="TCP throughput"),
    Metric("network.cpu_s_per_gb", "s", "lower", 1e-3, 0.05, exact=False, title="CPU time of the host for 1 GB"),
    Metric("network.retransmits", "count", "lower", 10, 0.2, exact=False, title="retransmitted segments"),
    Metric("network.rr_p50_s", "s", "lower", 1e-6, 0.05, exact=False, title="request-response, median"),
    Metric("network.rr_p99_s", "s", "lower", 5e-6, 0.1, exact=False, title="request-response, 99th percentile"),
    Metric("network.connect_per_s", "1/s", "higher", 10, 0.05, exact=False, title="TCP connections"),
    Metric("network.udp_bytes_per_s", "bytes/s", "higher", 2**20, 0.05, exact=False, title="UDP received"),
    Metric("network.udp_loss_ratio", "ratio", "lower", 0.001, 0.1, exact=False, title="UDP lost ÷ sent"),
    Metric("network.udp_jitter_s", "s", "lower", 1e-6, 0.1, exact=False, title="UDP jitter"),
    Metric("network.ready_s", "s", "lower", 50e-6, 0.05, exact=False, title="request → ready in this mode"),
)
_DISCOVERY = (
    Metric("discovery.lookup_s", "s", "lower", 1e-6, 0.05, exact=False, title="one lookup"),
    Metric("discovery.resolvable_s", "s", "lower", 1e-3, 0.05, exact=False, title="request → name resolves"),
    Metric("discovery.gap_s", "s", "lower", 1e-3, 0.05, exact=False, title="between two tries"),
)
_STORAGE = (
    Metric("storage.create_s", "s", "lower", 50e-6, 0.05, exact=False, title="create"),
    Metric("storage.start_s", "s", "lower", 50e-6, 0.05, exact=False, title="start → ready"),
    Metric("storage.remove_s", "s", "lower", 50e-6, 0.05, exact=False, title="remove"),
    Metric("storage.unpack_s", "s", "lower", 1e-3, 0.05, exact=False, title="unpack an image"),
    Metric("storage.copy_up_s", "s", "lower", 5e-6, 0.05, exact=False, title="write 4 bytes into a file of the image"),
    Metric("storage.fsync_s", "s", "lower", 20e-6, 0.1, exact=False, title="fsync"),
    Metric("storage.fsync_p99_s", "s", "lower", 50e-6, 0.1, exact=False, title="fsync, 99th percentile"),
    Metric("storage.read_bytes_per_s", "bytes/s", "higher", 2**20, 0.05, exact=False, title="read"),
    Metric("storage.write_bytes_per_s", "bytes/s", "higher", 2**20, 0.05, exact=False, title="written"),
    Metric("storage.iops", "1/s", "higher", 10, 0.05, exact=False, title="operations"),
    Metric("storage.metadata_per_s", "1/s", "higher", 10, 0.05, exact=False, title="files"),
    Metric("storage.used_bytes", "bytes", "lower", 65536, 0.02, exact=False, title="disk used"),
    Metric("storage.shared_cache_bytes", "bytes", "lower", 2**20, 0.05, exact=False, title="page cache of all readers"),
)
_IMAGES = (
    Metric("image.bytes", "bytes", "lower", 0, 0.0, exact=True, title="on disk"),
    Metric("image.compressed_bytes", "bytes", "lower", 0, 0.0, exact=True, title="compressed"),
    Metric("image.shared_bytes", "bytes", "higher", 0, 0.0, exact=True, title="shared with others"),
    Metric("image.instance_bytes", "bytes", "lower", 4096, 0.02, exact=False, title="each further instance"),
    Metric("image.layers", "count", "lower", 0, 0.0, exact=True, title="layers"),
    Metric("image.build_s", "s", "lower", 1e-3, 0.05, exact=False, title="build"),
    Metric("image.context_bytes", "bytes", "lower", 0, 0.0, exact=True, title="sent to the builder"),
)
_PULL = (
    Metric("pull.pull_s", "s", "lower", 1e-3, 0.05, exact=False, title="pull and unpack"),
    Metric("pull.ready_s", "s", "lower", 1e-3, 0.05, exact=False, title="pull → ready"),
    Metric("pull.share_ratio", "ratio", "lower", 0.01, 0.05, exact=False, title="share of the pull"),
    Metric("pull.bytes", "bytes", "lower", 0, 0.0, exact=True, title="transferred"),
)

_METRICS = (
    _startup("created", "request → created"),
    _startup("started", "request → started"),
    _startup("first_instruction", "request → first instruction"),
    _startup("ready", "request → ready"),
    _startup("stop", "stop"),
    _startup("delete", "delete"),
    _startup("cpu", "CPU time, all processes"),
    *_MEMORY,
    *_DENSITY,
    *_STACK,
    *_NAMESPACES,
    *_LIMITS,
    *_COMPUTE,
    *_NETWORK,
    *_DISCOVERY,
    *_STORAGE,
    *_IMAGES,
    *_PULL,
    Metric("imported.time_s", "s", "lower", 0.0, 0.05, exact=False, title="time, as imported"),
    Metric("sentinel.work_s", "s", "lower", 50e-6, 0.05, exact=False, title="fixed host workload"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}


def metric(name: str) -> Metric:
    """Return the registry's entry.

    Raises:
        UsageError: There is no such metric.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(unknown("metric", name, METRICS)) from None


_TIME_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_NOTHING = 1e-3
"""Less than this part of the smallest unit is shown as 0."""
_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1.0, "B"))
_RATE_STEPS = ((1e9, "G/s"), (1e6, "M/s"))


def format_value(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number for people: three significant digits with a prefix (``12.4 ms``, ``3.81 MiB``), ``–`` for none."""
    if value is None:
        return "–"
    if unit == "s":
        return _scaled(value, _TIME_STEPS, digits, "")
    if unit == "bytes":
        return _scaled(value, _BYTE_STEPS, digits, "")
    if unit == "bytes/s":
        return _scaled(value, _BYTE_STEPS, digits, "/s")
    if unit == "1/s" and abs(value) >= _RATE_STEPS[-1][0]:
        return _scaled(value, _RATE_STEPS, digits, "")
    text = significant(value, digits)
    return text if unit in ("ratio", "count") else f"{text} {unit}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int, suffix: str) -> str:
    factor, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    if abs(value) < factor * _NOTHING:  # a difference of floating point numbers, not of what was measured
        value = 0.0
    return f"{significant(value / factor, digits)} {name}{suffix}"


def significant(value: float, digits: int = 3) -> str:
    """Round to significant digits without an exponent: 0.0000123, 0.0123, 1.23, 123, 1230."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:.{max(0, decimals)}f}" if decimals < 9 else f"{rounded:.{digits - 1}e}"
