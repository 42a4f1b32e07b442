"""Reconcile memory: what instances took from MemAvailable, what processes, groups and the kernel account for, and the rest.

MemAvailable counts memory as used unless it is free, a file page or reclaimable slab. So instances reduce it by the anonymous
and shared memory of their processes and by kernel memory that cannot be reclaimed. Their file pages (programs, images) are in
PSS and in control groups, but not here. The unexplained rest is reported, never distributed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.core.clock import now_s, sleep_s
from bench.lab import Lab, cgroups
from bench.probes import groups, host, processes
from bench.probes.groups import Charged
from bench.probes.processes import Shares

Read = TypeVar("Read")
_GAP_S = 0.1
"""Time between two readings: the kernel frees memory in RCU batches of some 10 ms each."""
_AGREE = 0.005
"""Largest difference of readings that agree, as a fraction of the memory taken."""
_SLACK_BYTES = 128 * 1024
"""Difference that is always accepted: less than one thread costs; readings of a quiet host differ by half of it."""


@dataclass(frozen=True)
class Weight:
    """One reading of all counters.

    Attributes:
        available: Available memory (``host.available``), bytes.
        components: Component → memory of the run's processes.
        kernel: Part of the kernel's memory (``host.parts``) → bytes.
        charged: Memory charged to the instances' control groups, ``None`` without control groups.
        anonymous_pages: Anonymous memory of all processes on the host, bytes; ``None`` if unknown.
        network_namespaces: Number of network namespaces on the host.
        foreign_shmem: Shared memory and tmpfs files that do not belong to the run, bytes; ``None`` if unknown.
    """

    available: int
    components: Mapping[str, Shares]
    kernel: Mapping[str, int]
    charged: Charged | None = None
    anonymous_pages: int | None = None
    network_namespaces: int = 0
    foreign_shmem: int | None = None

    def total(self) -> Shares:
        """Return the sum over all components except the harness."""
        every = [shares for name, shares in self.components.items() if name != "harness"]
        return sum(every, Shares())


def take(lab: Lab, more: Collection[int] = (), guest_bytes: int | None = None) -> Weight:
    """Take one reading.

    ``more`` are PIDs of instances outside the run's control group; ``guest_bytes`` is the declared memory of a guest.

    Raises:
        InvocationFailed: The kernel lacks a required counter.
    """
    path = lab.cgroup_path
    daemons = cgroups.pids_of(f"{path}/lab") if path else set()
    pids = (cgroups.pids_of(path) if path else set()) | set(more) | {os.getpid()}
    spaces = lab.residue().get("network namespaces", 0)
    charged = groups.charged(path)
    host.refresh()
    info, zone, stock = host.meminfo(), host.zones(), host.slab_stock()
    components = processes.weigh(pids, daemons=frozenset(daemons), guest_bytes=guest_bytes)
    mapped = sum(shares.shmem for shares in components.values())
    kernel = host.parts(info, zone, stock, mapped)
    shmem = info.get("Shmem")
    foreign = None if shmem is None else shmem - max(mapped, processes.memfd_bytes(pids)) - _files_in_run(path)
    available = host.available(info, zone, stock)
    return Weight(available, components, kernel, charged, info.get("AnonPages"), spaces, foreign)


def _files_in_run(path: str) -> int:
    """Return the size of the files in the lab's own /run, a tmpfs; 0 without a lab of root."""
    if not path:
        return 0
    found = os.statvfs("/run")
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@dataclass(frozen=True)
class Added:
    """Growth from one reading to another, bytes; the fields overlap and are never added up.

    Attributes:
        taken: Decrease of available memory.
        components: Component → growth of its processes' memory.
        kernel: Part of the kernel's memory → growth.
        charged: Growth of what control groups are charged with, ``None`` without a new group.
        elsewhere: Growth of the anonymous memory of processes outside the run, ``None`` if unknown.
        network_namespaces: Number of additional network namespaces.
        foreign_shmem: Growth of shared memory and tmpfs files outside the run, ``None`` if unknown.
    """

    taken: int
    components: Mapping[str, Shares]
    kernel: Mapping[str, int]
    charged: int | None
    elsewhere: int | None
    network_namespaces: int
    foreign_shmem: int | None = None

    @property
    def used_kernel(self) -> int:
        """Growth of the kernel's unavailable memory, bytes."""
        return sum(self.kernel.get(part, 0) for part in host.PARTS)

    @property
    def anonymous(self) -> int:
        """Growth of the anonymous and shared memory of the run's processes, harness included, bytes."""
        return sum(shares.anonymous for shares in self.components.values())

    @property
    def unexplained(self) -> int:
        """Memory taken that no part accounts for, bytes; negative when the parts sum up to more than was taken."""
        return self.taken - self.anonymous - (self.elsewhere or 0) - self.used_kernel

    def sum_of(self, field: str) -> int:
        """Return the sum of a field of ``Shares`` over all components except the harness."""
        return sum(getattr(shares, field) for name, shares in self.components.items() if name != "harness")


def added(base: Weight, now: Weight) -> Added:
    """Return the growth from ``base`` to ``now``."""
    names = {*base.components, *now.components}
    components = {name: now.components.get(name, Shares()) - base.components.get(name, Shares()) for name in names}
    kernel = {part: size - base.kernel[part] for part, size in now.kernel.items() if part in base.kernel}
    elsewhere = None
    if now.anonymous_pages is not None and base.anonymous_pages is not None:
        inside = sum(shares.anonymous - shares.shmem for shares in components.values())
        elsewhere = now.anonymous_pages - base.anonymous_pages - inside
    return Added(
        taken=base.available - now.available,
        components=components,
        kernel=kernel,
        charged=_charged(base.charged, now.charged),
        elsewhere=elsewhere,
        network_namespaces=now.network_namespaces - base.network_namespaces,
        foreign_shmem=_difference(base.foreign_shmem, now.foreign_shmem),
    )


def _difference(base: int | None, now: int | None) -> int | None:
    return None if base is None or now is None else now - base


def _charged(base: Charged | None, now: Charged | None) -> int | None:
    before = base or Charged(0, 0)
    return None if now is None or now.groups <= before.groups else now.usage_bytes - before.usage_bytes


def settled(
    read: Callable[[], Weight], deadline_s: float, base: Weight | None = None, *, count: int = 3
) -> tuple[Weight, bool]:
    """Read until ``count`` consecutive readings agree; return the last one, and whether they agreed within ``deadline_s``.

    Readings agree when available memory and the processes' anonymous memory each differ by at most 0.5 % of the memory taken
    since ``base``, or by at most 128 KiB.
    """

    def numbers(reading: Weight) -> tuple[int, int]:
        return reading.available, reading.total().anonymous

    return still(read, numbers, deadline_s, None if base is None else base.available, count=count)


def available_settled(deadline_s: float, before: int | None = None) -> tuple[int, bool]:
    """Return available memory in bytes once it settles, like :func:`settled`, without reading processes: fast with thousands."""

    def read() -> int:
        host.refresh()
        return host.available(host.meminfo(), host.zones(), host.slab_stock())

    return still(read, lambda reading: (reading,), deadline_s, before)


def still(
    read: Callable[[], Read],
    numbers: Callable[[Read], Sequence[int]],
    deadline_s: float,
    before: int | None,
    *,
    count: int = 3,
) -> tuple[Read, bool]:
    """Read until the ``numbers`` of the last ``count`` readings agree; the first number must be available memory."""
    end = now_s() + deadline_s
    seen = [read()]
    while len(seen) < count or not agree([numbers(reading) for reading in seen[-count:]], before):
        if now_s() >= end:
            return seen[-1], False
        sleep_s(_GAP_S)
        seen.append(read())
    return seen[-1], True


def agree(readings: Sequence[Sequence[int]], before: int | None) -> bool:
    """Return whether readings differ only by noise; ``before`` is the memory available without instances, bytes."""
    columns = list(zip(*readings, strict=True))
    taken = 0 if before is None else max(0, before - min(columns[0]))
    slack = max(_SLACK_BYTES, _AGREE * taken)
    return all(max(values) - min(values) <= slack for values in columns)


def without_guest(now: Weight) -> bool:
    """Return whether a VMM runs whose guest memory could not be told from its own memory."""
    vmm = now.components.get("vmm", Shares()).processes
    return vmm > 0 and "guest" not in now.components
