"""What becomes of the lines that an instance prints: one load of numbered, checksummed lines to one fresh instance.

The log is read back twice: by the engine's own reader, and from what is stored, past the engine. The payload reads no clock: it
reports every n-th write before and after, and the host's stamps of the two reports tell how long it blocked. That includes
the reports themselves; the same reports on the bare host are the floor.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.benchmarks.logging import disturbed, edges, limit, plain
from bench.benchmarks.logging.trial import keeper
from bench.invocation.context import InvocationContext, InvocationResult

_LOADS: dict[str, Callable[[InvocationContext], InvocationResult]] = {
    "edges": edges.measure,
    "rate": plain.rate,
    "flat": plain.flat,
    "limit": limit.measure,
    "follower": plain.followed,
    "stopped": disturbed.stopped,
    "crash": disturbed.crash,
}


def measure(context: InvocationContext) -> InvocationResult:
    """Write one load of lines and count what came through.

    Raises:
        NotApplicable: The target keeps no logs, or cannot do what the load asks for.
    """
    keeper(context)
    return _LOADS[str(context.params["load"])](context)
