"""How much of the host a ramp may use: CPUs for starting, memory above the floor, open files."""

from __future__ import annotations

import contextlib
import math
import os
import resource
from collections.abc import Iterator

from bench.core.errors import InvocationFailed
from bench.invocation.context import InvocationContext
from bench.probes import host

_SPARE = 256
"""File descriptors for everything but instances: connections to daemons, results, libraries."""
DESCRIPTORS = {"datagram": 2, "stream": 3}
"""File descriptors per instance: its channel's socket (and its connection), one more while it is started."""
_BESIDE_BYTES = 64 * 2**20
"""More than any engine needs for one instance besides its declared memory (an emulating VMM needs most)."""
_LEAST_BYTES = 2**18
_CAUTION = 1.5
"""Safety factor on the memory of one more instance, because a ramp must never cross the floor."""


def workers(context: InvocationContext) -> int:
    """Return how many instances are started at once: a multiple of the CPUs that this process may use, at least one."""
    return max(1, round(float(context.params["concurrency"]) * len(os.sched_getaffinity(0))))


def top(context: InvocationContext) -> int:
    """Return at how many instances a ramp ends: virtual machines have a number of their own."""
    return int(context.params["machines" if context.engine.kind == "machine" else "instances"])


def room(context: InvocationContext, available_before: int, have: int, floor: int) -> int:
    """Return how many more instances fit above the floor, from what the live ones took of MemAvailable.

    Before there are any, each is expected to take its declared memory and what engines need besides.
    """
    info = host.meminfo()
    each = float(context.params["memory_bytes"]) + _BESIDE_BYTES
    if have:
        least = max(_LEAST_BYTES, float(context.params["touch_bytes"]))
        taken = available_before - host.available(info, host.zones(), host.slab_stock())
        each = max(least, taken / have) * _CAUTION
    return math.floor((info["MemAvailable"] - floor) / each)


def allow_descriptors(count: int) -> None:
    """Raise the soft limit of open files, up to the hard one, so that this many more fit.

    Raises:
        InvocationFailed: The hard limit is too small.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _SPARE
    if hard != resource.RLIM_INFINITY and needed > hard:
        msg = (
            f"the instances' event channels need {needed} open files, this process may have {hard}: "
            "raise the hard limit ('ulimit -Hn', systemd: LimitNOFILE=) or ask for fewer instances"
        )
        raise InvocationFailed(msg)
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextlib.contextmanager
def own_descriptor_limit() -> Iterator[None]:
    """Restore the limit of open files after the block, so that later children have the user's."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
