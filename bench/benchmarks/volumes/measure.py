"""One case of what an engine's mounts promise.

named-rm, named-rm-v           whether a volume and its content outlive the removal of its container, without and with the
anonymous-rm, anonymous-rm-v   option that also removes volumes; by a name of the user's, and by one that the engine chose
bind-changes, volume-changes,  four changes of files on one side, looked for on the other by reading and by inotify; then the
tmpfs-changes                  other way round. A tmpfs shares nothing and is the counter-proof
tmpfs-size                     bytes until a tmpfs of a given size is full, and whether they count as the container's memory
tmpfs-beyond-memory            what happens when a tmpfs may hold more than the container's memory limit
"""

from __future__ import annotations

from bench.benchmarks.volumes import changes, removal, size
from bench.invocation.context import InvocationContext, InvocationResult


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the case that the invocation names."""
    case = str(context.params["case"])
    if case == "tmpfs-size":
        return size.until_full(context)
    if case == "tmpfs-beyond-memory":
        return size.beyond_memory(context)
    what, _, how = case.partition("-")
    return changes.both_ways(context, what) if how == "changes" else removal.removed(context, what, how)
