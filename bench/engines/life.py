"""One instance from its request to its deletion: the steps that are timed, for every benchmark and for every trial."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.core.clock import Channel, Timeline, now_s
from bench.core.errors import TareError
from bench.core.model import Phase
from bench.engines.abilities import launch
from bench.engines.base import Engine, Instance, InstanceSpec

Step = Callable[[str], contextlib.AbstractContextManager[None]]
"""Wraps one step (``create``, ``start`` or ``ready``), for example to time it."""


def _ignore(_: float) -> None:
    pass


def _plain(_: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@dataclass
class Life:
    """One instance, from its request on; every edge is stamped on the host's clock.

    Attributes:
        engine: Its engine.
        spec: What it runs.
        channel: Where its payload reports.
        timeout_s: Time from the request to ready, seconds.
        note_request: Called with the stamp of the request.
        timeline: The stamps.
    """

    engine: Engine
    spec: InstanceSpec
    channel: Channel
    timeout_s: float
    note_request: Callable[[float], None] = _ignore
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def requested_s(self) -> float:
        """Stamp of the request."""
        return self.timeline.stamps[Phase.REQUEST]

    def request(self) -> float:
        """Stamp the request, for a caller whose clock starts before the instance is created."""
        at = self.timeline.stamp(Phase.REQUEST)
        self.note_request(at)
        return at

    def run(self, step: Step = _plain) -> Instance:
        """Create the instance, start it, and wait until it is ready.

        Unless the request is stamped already, it is stamped here: before ``create``, or after it for an engine that has nothing
        to create (a process), because assembling its command line is our work, not the target's.

        Raises:
            InvocationFailed: A step failed, or the instance ended before it was ready.
            InvocationTimeout: It was not ready in time.
        """
        instance = None
        if Phase.REQUEST not in self.timeline.stamps:
            if Phase.CREATED not in self.engine.phases:
                instance = self.engine.create(self.spec)
            self.request()
        if instance is None:
            with step("create"):
                instance = self.engine.create(self.spec)
            self.timeline.stamp(Phase.CREATED)
        with step("start"):
            self.engine.start(instance)
        self.timeline.stamp(Phase.STARTED)
        with step("ready"):
            self.wait_ready(instance.alive)
        return instance

    def launch(self) -> Instance:
        """Create and start the instance in the quickest way that its engine has; nothing in between is stamped."""
        self.request()
        return launch(self.engine, self.spec)

    def wait_ready(self, why_ended: Callable[[], str | None]) -> None:
        """Wait until the payload reports that it is ready, within the time limit since the request.

        ``why_ended`` returns why it cannot become ready any more, ``None`` while it can.
        """
        left = self.requested_s + self.timeout_s - now_s()
        self.channel.wait(Phase.READY, max(0.0, left), why_ended)
        self.timeline.stamps |= self.channel.stamps


@contextlib.contextmanager
def deleted(
    engine: Engine, name: str, counted: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
) -> Iterator[None]:
    """Delete everything of that name after the block, also when the block fails; the first error is the one raised.

    ``counted`` wraps the deletion, for example to account for its time.
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(TareError), counted():
            engine.delete(name)
        raise
    with counted():
        engine.delete(name)
