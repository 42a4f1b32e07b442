"""How fast a target computes: system calls and a fixed computation by the payload, and sysbench's cpu and memory tests.

Every rate is the program's count divided by a time that the host stamped. The order of the loops rotates by one each block, so
that none is always first; all targets of a block have the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.core.clock import Line
from bench.core.errors import TargetUnavailable
from bench.engines.base import Bind, InstanceSpec
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import tools
from bench.lab.images import Artifact
from bench.workloads import payload, sysbench


def measure(context: InvocationContext) -> InvocationResult:
    """Run the loops and then sysbench in one instance; if sysbench is missing, its numbers are absent and flagged."""
    names, tests = order(context.invocation.block)
    flags: tuple[str, ...] = ()
    found: Artifact | None = None
    if context.params["tests"] == "loops":
        tests = ()
    else:
        try:
            found = tools.folder(context.lab.paths.state)
        except TargetUnavailable as error:
            tests, flags = (), (f"sysbench: absent, {error}",)
    spec = _spec(context, names, tests, found)
    with life.living(context, spec) as (instance, channel), context.account.engine():
        lines = poke.wait_for_ends(instance, channel, len(names) + len(tests), context.timeout_s)
        evidence = life.evidence_of(context, instance)
        context.engine.stop(instance)
    runs = sysbench.runs(lines)
    if found is not None:
        evidence |= {"tools": found.digest, "sysbench": sysbench.version(runs[0])}
    values = {f"compute.{name}": value for name, value in _programs(runs, tests)}
    series = tuple(_calls(payload.loops(lines, names), values))
    return InvocationResult(values, evidence, flags, series, {"order": ", ".join((*names, *tests))})


def order(block: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the order of the loops and of sysbench's tests, rotated by one each block."""
    loop, test = block % len(payload.LOOPS), block % len(sysbench.TESTS)
    return (
        payload.LOOPS[loop:] + payload.LOOPS[:loop],
        sysbench.TESTS[test:] + sysbench.TESTS[:test],
    )


def _spec(
    context: InvocationContext, names: Sequence[str], tests: Sequence[str], found: Artifact | None
) -> InstanceSpec:
    milliseconds = int(context.params["milliseconds"])
    seconds = max(1, round(2 * milliseconds / 1000))  # sysbench takes whole ones
    threads = int(context.params["cpus"])
    programs = [word for test in tests for word in sysbench.arguments(test, seconds, threads)]
    arguments = (*payload.loop_arguments(names, milliseconds), "--sleep", *programs)
    return life.spec_of(context, arguments, binds=(Bind(sysbench.TOOLS, found.path),) if found else ())


def _programs(runs: Sequence[Sequence[Line]], tests: Sequence[str]) -> Iterator[tuple[str, float]]:
    for run, test in zip(runs, tests, strict=True):
        found = sysbench.events(run, test)
        if test == "cpu":
            yield "cpu_events_per_s", found.count / found.seconds
        else:
            yield "memory_bytes_per_s", found.count * sysbench.block_bytes(run) / found.seconds


def _calls(loops: dict[str, payload.Turns], values: dict[str, float]) -> Iterator[Value]:
    """Yield the time of each system call; add the computation's rate to ``values``."""
    for name, found in loops.items():
        if name == "compute":
            values["compute.rounds_per_s"] = found.count * payload.ROUNDS_A_TURN / found.seconds
        else:
            yield Value("compute.syscall_s", found.seconds / found.count, {"syscall": name})
