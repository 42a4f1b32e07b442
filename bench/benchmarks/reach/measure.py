"""Find out one part of the facts about one target: everything that is called or listens is the lab's own, in its namespaces.

An instance's payload makes the calls, so that what is found is what a program in it gets, with the system call's error. Who
answers says its name: a connection that somebody else takes does not count.
"""

from __future__ import annotations

from bench.benchmarks.reach import calls, image, naming, outside, ports, tags
from bench.core.errors import NotApplicable
from bench.invocation.context import InvocationContext, InvocationResult

_PARTS = {
    "reach": calls.measure,
    "ports": ports.measure,
    "names": naming.measure,
    "image": image.measure,
    "tags": tags.measure,
}
_SEVERAL = ("reach", "names")
"""Parts that need several instances of the target at a time, all of which start."""


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the part that the parameter names.

    Raises:
        NotApplicable: The target is outside the lab, or a machine, or lacks what the part needs.
    """
    target = context.engine.target
    if context.outside:
        msg = f"'{target.text}' is outside the lab, and its networks and images are left alone"
        raise NotApplicable(msg)
    if context.engine.kind == "machine":
        msg = f"'{target.text}' is a machine: who it reaches is a matter of the kernel and the configuration inside"
        raise NotApplicable(msg)
    part = str(context.params["part"])
    if part in _SEVERAL and outside.published_at(context):
        msg = f"'{target.text}' publishes the same ports of the host for every instance, so that there can be one at a time"
        raise NotApplicable(msg)
    return _PARTS[part](context)
