"""Memory of the whole host by the kernel's counters: available, its parts, pressure. Missing files give ``None``."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.core import kernelfiles
from bench.core.errors import InvocationFailed

PAGE = os.sysconf("SC_PAGE_SIZE")
PARTS = (
    "unreclaimable_slab",
    "page_tables",
    "kernel_stacks",
    "per_cpu",
    "vmalloc",
    "tmpfs",
    "withheld",
)
"""Parts of the kernel's memory that are not available; :func:`parts` defines them."""
SLAB, LISTS, STOCK = "reclaimable_slab", "free_lists", "slab_stock"
"""Further parts that count as available: reclaimable slab, free pages in the CPUs' lists, free objects in slabs."""


@dataclass(frozen=True)
class Zones:
    """Sums over all zones of /proc/zoneinfo.

    Attributes:
        free_lists_bytes: Free pages in per-CPU lists, which MemFree does not count.
        low_bytes: Low watermarks, below which the kernel starts to reclaim.
    """

    free_lists_bytes: int
    low_bytes: int


def refresh() -> None:
    """Make the kernel fold its per-CPU counters, so that the next reading is exact; without root nothing happens.

    Otherwise each CPU may hold back up to 125 pages per counter for a second (Documentation/admin-guide/sysctl/vm.rst,
    ``stat_refresh``).
    """
    with contextlib.suppress(OSError):
        Path("/proc/sys/vm/stat_refresh").read_bytes()


def meminfo() -> dict[str, int]:
    """Return field → bytes of /proc/meminfo; errors as of :func:`parse_meminfo`."""
    return parse_meminfo(Path("/proc/meminfo").read_text(encoding="ascii"))


def parse_meminfo(text: str) -> dict[str, int]:
    """Parse /proc/meminfo (proc(5)) into field → bytes; lines that are not in kB are skipped.

    Raises:
        InvocationFailed: MemTotal, MemFree or MemAvailable (Linux 3.14) is missing.
    """
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if len(fields) == 2 and fields[1] == "kB" and fields[0].isdigit():
            found[name] = int(fields[0]) * 1024
    missing = [name for name in ("MemTotal", "MemFree", "MemAvailable") if name not in found]
    if missing:
        msg = f"/proc/meminfo has no {', '.join(missing)}: memory cannot be reconciled on this kernel"
        raise InvocationFailed(msg)
    return found


def zones() -> Zones | None:
    """Return the sums of /proc/zoneinfo, ``None`` where it cannot be read."""
    with contextlib.suppress(OSError):
        return parse_zoneinfo(Path("/proc/zoneinfo").read_text(encoding="ascii"))
    return None


def parse_zoneinfo(text: str) -> Zones | None:
    """Parse /proc/zoneinfo, ``None`` when the text has another form."""
    lists = [int(count) for count in re.findall(r"^\s+count:\s+(\d+)", text, re.MULTILINE)]
    # A zone's block has "pages free N" and below it "boost", "min", "low", "high"; in empty zones they are 0.
    lows = [int(count) for count in re.findall(r"^\s+low\s+(\d+)$", text, re.MULTILINE)]
    if not lists or not lows:
        return None
    return Zones(sum(lists) * PAGE, sum(lows) * PAGE)


@functools.cache
def _unreclaimable() -> frozenset[str]:
    """Return the slab caches that reclaim cannot shrink (Documentation/ABI/testing/sysfs-kernel-slab)."""
    slabs = Path("/sys/kernel/slab")
    caches = kernelfiles.names(slabs)
    return frozenset(name for name in caches if kernelfiles.text(slabs / name / "reclaim_account").strip() == "0")


def slab_stock() -> int | None:
    """Return the free object slots in unreclaimable slabs, bytes; ``None`` without permission to read them."""
    with contextlib.suppress(OSError):
        return parse_slabinfo(Path("/proc/slabinfo").read_text(encoding="ascii"), _unreclaimable())
    return None


def parse_slabinfo(text: str, caches: Collection[str]) -> int | None:
    """Parse /proc/slabinfo (slabinfo(5)): free object slots of these caches, bytes; ``None`` when no cache is listed."""
    found = None
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 6 and fields[0] in caches and all(field.isdigit() for field in fields[1:6]):
            active, count, _, in_slab, pages = map(int, fields[1:6])
            found = (found or 0) + (count - active) * pages * PAGE // in_slab
    return found


def available(info: Mapping[str, int], zone: Zones | None, stock: int | None) -> int:
    """Return MemAvailable plus the free memory that it does not count, bytes.

    That is free pages in per-CPU lists, and free slots in slabs that still hold an object. The lists vary by megabytes while
    processes come and go (``pcp->high`` of mm/page_alloc.c, tuned by the kernel since Linux 6.7), which is the memory of fifty
    plain processes. Free slots are left by earlier instances: after a thousand of them they are tens of megabytes, and the
    first instances of the next ramp, which use them, would appear to cost half of what they do.
    """
    return info["MemAvailable"] + (0 if zone is None else zone.free_lists_bytes) + (stock or 0)


def parts(info: Mapping[str, int], zone: Zones | None, stock: int | None, mapped_shmem: int) -> dict[str, int]:
    """Return part → bytes of the kernel's memory; parts that this kernel does not report are left out.

    MemAvailable is (``si_mem_available``, mm/show_mem.c)

        free - reserve + file pages - min(file pages / 2, low) + reclaimable - min(reclaimable / 2, low)

    so memory is used unless it is free, an LRU file page or reclaimable slab (:func:`available` counts more as free). The parts:

    ``unreclaimable_slab``
        SUnreclaim without its free slots: small kernel objects such as control groups, sockets and namespaces.
    ``page_tables``
        PageTables and SecPageTables.
    ``kernel_stacks``
        KernelStack.
    ``vmalloc``
        VmallocUsed without the kernel stacks, which are mapped there (CONFIG_VMAP_STACK).
    ``per_cpu``
        Percpu.
    ``tmpfs``
        Shmem that no process of the run has mapped; the rest, ``mapped_shmem``, is in the processes' PSS.
    ``withheld``
        The two minima: cache and slab that MemAvailable does not count although the kernel could reclaim them.
    ``reclaimable_slab``, ``free_lists``, ``slab_stock``
        Listed for information: they count as available.
    """
    stacks = info.get("KernelStack")
    found: dict[str, int | None] = {
        "unreclaimable_slab": info["SUnreclaim"] - (stock or 0) if "SUnreclaim" in info else None,
        "page_tables": info["PageTables"] + info.get("SecPageTables", 0) if "PageTables" in info else None,
        "kernel_stacks": stacks,
        "per_cpu": info.get("Percpu"),
        "vmalloc": _vmalloc(info.get("VmallocUsed"), stacks or 0),
        "tmpfs": info["Shmem"] - mapped_shmem if "Shmem" in info else None,
        "withheld": None if zone is None else _withheld(info, zone.low_bytes),
        LISTS: None if zone is None else zone.free_lists_bytes,
        STOCK: stock,
        SLAB: info.get("KReclaimable", info.get("SReclaimable")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _vmalloc(used: int | None, stacks: int) -> int | None:
    if not used:  # kernels from 4.4 to 5.2 always print 0
        return None
    return used - stacks if used >= stacks else used  # otherwise the stacks are not mapped there


def _withheld(info: Mapping[str, int], low: int) -> int:
    cache = info.get("Active(file)", 0) + info.get("Inactive(file)", 0)
    slab = info.get("KReclaimable", info.get("SReclaimable", 0))
    return min(cache // 2, low) + min(slab // 2, low)


def pressure(resource: str = "memory") -> float | None:
    """Return how long tasks waited for a resource since boot, seconds; ``None`` without pressure accounting."""
    try:
        return parse_pressure(Path(f"/proc/pressure/{resource}").read_text(encoding="ascii"))
    except OSError:  # not built in, or disabled by psi=0
        return None


def parse_pressure(text: str) -> float | None:
    """Parse the total of the line ``some`` (Documentation/accounting/psi.rst), seconds."""
    found = re.search(r"^some .*\btotal=(\d+)$", text, re.MULTILINE)
    return int(found[1]) / 1e6 if found else None
