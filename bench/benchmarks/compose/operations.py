"""What is done with a project, timed: each operation is one command of the client."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.benchmarks.compose import shapes
from bench.benchmarks.compose.calls import answered_s
from bench.benchmarks.compose.proxy import Proxy
from bench.benchmarks.compose.watch import Watch
from bench.core import proctable
from bench.core.clock import Channel, now_s
from bench.core.errors import InvocationFailed
from bench.core.model import Phase
from bench.engines.abilities import ProjectClient, Projects
from bench.engines.base import Instance
from bench.engines.projects import Project, in_order
from bench.invocation import life
from bench.invocation.context import InvocationContext, Value
from bench.lab import images

_LINE = re.compile(r"\b\d{10} \d{7} [0-9a-f]{8} ")
"""The begin of a line that the payload prints (lines.c)."""
_GONE_S = 5.0


@dataclass
class Running:
    """A project while it is measured.

    Attributes:
        context: The invocation.
        projects: How the engine is asked for projects.
        project: The project.
        client: Its client.
        proxy: Counts the client's requests.
        channels: The event channel of each service.
        watch: What the engine reports of the services.
        notes: What is said in words beside the numbers.
        asked: Kinds of the requests of the first up.
        pids: The processes of its containers before down.
    """

    context: InvocationContext
    projects: Projects
    project: Project
    client: ProjectClient
    proxy: Proxy
    channels: dict[str, Channel]
    watch: Watch
    notes: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)

    @property
    def last(self) -> str:
        """The service that no other one needs and that comes last."""
        return in_order(self.project.services)[-1].name

    def instances(self) -> list[Instance]:
        """Return the running containers of all services."""
        return [found for one in self.project.services for found in self.projects.instances(self.project, one.name)]


def timed(running: Running, act: Callable[[], object]) -> tuple[float, float, list[str]]:
    """Run one command of the client; return its begin and end (``CLOCK_MONOTONIC``, seconds) and the kinds of its requests."""
    earlier, before = len(running.proxy.calls), len(running.client.commands)
    with running.context.account.engine():
        begin = now_s()
        act()
        end = now_s()
    kinds = [call.kind for call in running.proxy.calls[earlier:]]
    return begin, end, [*kinds, *running.client.commands[before:]]


def up(running: Running, requested_s: float) -> dict[str, float]:
    """Make and start everything, and wait until all services are ready.

    Whether a service with a health check is ready is unknown where nothing runs health checks.
    """
    begin, end, running.asked = timed(running, running.client.up)
    values = {"compose.up_s": end - begin, "compose.calls": float(len(running.asked))}
    if running.proxy.calls:
        engine = answered_s(list(running.proxy.calls), begin, end)
        values |= {"compose.engine_s": engine, "compose.own_s": end - begin - engine}
    with running.context.account.engine():
        ready = _ready(running, requested_s + running.context.timeout_s) - requested_s
    unknown = [one.name for one in running.project.services if one.check and not running.projects.probes]
    if unknown:
        running.notes["health"] = f"nothing runs the health checks of {', '.join(unknown)} here"
        return values
    return values | {"compose.ready_s": ready}


def _ready(running: Running, end_s: float) -> float:
    """Wait until the payload of each service is ready, and each with a check is healthy; return the last stamp.

    The services of a user's own file without a check are ready when up returns.
    """
    stamps = [now_s()] if running.project.given else []
    for one in running.project.services:
        if one.name in running.channels:
            stamps.append(running.channels[one.name].wait(Phase.READY, max(0.0, end_s - now_s())))
        if running.projects.reports:
            running.watch.wait(one.name, "started", end_s)  # not the end of anything: so that no report comes too late
        if one.check and running.projects.probes:
            stamps.append(running.watch.wait(one.name, "healthy", end_s))
    return max(stamps)


def evidence(running: Running) -> dict[str, str]:
    """Read back what runs of the first service that is a payload; of a user's own file only which file it is.

    Raises:
        InvocationFailed: A service has another number of containers than one.
    """
    if running.project.given:
        return {"file_digest": images.sha256(running.project.given.read_bytes())}
    counts = {one.name: len(running.projects.instances(running.project, one.name)) for one in running.project.services}
    if wrong := [name for name, count in counts.items() if count != 1]:
        msg = f"service '{wrong[0]}' has {counts[wrong[0]]} running containers after up, not one"
        raise InvocationFailed(msg)
    payload = next(one for one in running.project.services if shapes.prints(one))
    return life.evidence_of(running.context, running.projects.instances(running.project, payload.name)[0])


def calls_of(running: Running) -> list[Value]:
    """Return how often each kind of request was made by the first up."""
    return [Value("compose.calls_of", float(count), {"kind": kind}) for kind, count in Counter(running.asked).items()]


def used(running: Running) -> dict[str, float]:
    """Ask for up again, run a command, read the logs, and add a container."""
    values = again(running)
    payload = next(one.name for one in running.project.services if shapes.prints(one))
    argv = [images.PAYLOAD, "--events", f"unix:{images.EVENTS}", "--exec", "1"]
    begin, end, _ = timed(running, lambda: running.client.exec(payload, argv))
    running.channels[payload].wait_line("B exec 1", _GONE_S)
    values["compose.exec_s"] = end - begin
    printed: list[str] = []
    begin, end, _ = timed(running, lambda: printed.append(running.client.logs()))
    wanted = shapes.LINES * sum(shapes.prints(one) for one in running.project.services)
    values |= {"compose.logs_s": end - begin, "compose.lost_lines": float(wanted - len(_LINE.findall(printed[0])))}
    return values | _scaled(running)


def again(running: Running) -> dict[str, float]:
    """Ask for up with nothing to do."""
    before = _identities(running)
    begin, end, kinds = timed(running, running.client.up)
    changed = len({name for name, _ in before ^ _identities(running)})
    return {
        "compose.noop_s": end - begin,
        "compose.noop_calls": float(len(kinds)),
        "compose.noop_changes": float(changed),
    }


def _identities(running: Running) -> set[tuple[str, int]]:
    """Return name and first process of each container."""
    return {(one.name, min(one.pids(), default=0)) for one in running.instances()}


def _scaled(running: Running) -> dict[str, float]:
    """Ask for a second container of the last service; the time counts only if it is there then."""
    begin, end, _ = timed(running, lambda: running.client.scale(running.last, 2))
    unscaled = 2 - len(running.projects.instances(running.project, running.last))
    return {"compose.unscaled": float(unscaled)} | ({} if unscaled else {"compose.scale_s": end - begin})


def down(running: Running) -> dict[str, float]:
    """Remove everything with the client, and remember the processes that must be gone."""
    running.pids = {pid for one in running.instances() for pid in one.pids()}
    begin, end, kinds = timed(running, running.client.down)
    return {"compose.down_s": end - begin, "compose.down_calls": float(len(kinds))}


def leftovers(running: Running) -> list[str]:
    """Return what is left of the project, without the names that are this invocation's own."""
    left = [name.replace(running.project.name, "PROJECT") for name in running.projects.left(running.project)]
    alive = proctable.wait_until_gone(running.pids, _GONE_S)
    return [*left, *(["processes"] * len(alive))]
