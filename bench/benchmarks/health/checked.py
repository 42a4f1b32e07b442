"""One instance with a health check: ready, watched, its probes started, and its check proved."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from bench.benchmarks.health import left
from bench.benchmarks.health.watch import Watch, begun, driven, reported
from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import EvidenceMismatch, InvocationTimeout, NotApplicable
from bench.core.model import Phase
from bench.engines.abilities import ChecksHealth, HealthChecks, HealthStatus, RunsImages
from bench.engines.base import HealthCheck, Instance, InstanceSpec
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext
from bench.lab import bases
from bench.lab.images import Image

STATE = "/tare-broken"
"""The file by which the payload keeps its state of health."""
PAYLOAD = ("--health", STATE, "--sleep")
PATIENT_S = 30.0
"""Time limit of a probe that ends at once."""
_GAP_S = 0.002
_WAIT_S = 30.0


@dataclass
class Checked:
    """An instance whose health is watched.

    Attributes:
        context: The invocation.
        instance: The instance.
        channel: Its channel.
        watch: What is reported of it.
        check: Its health check.
        evidence: What was read back from it.
        before: The processes that existed when it was ready.
        deadline_s: Stamp at which the invocation times out.
    """

    context: InvocationContext
    instance: Instance
    channel: Channel
    watch: Watch
    check: HealthCheck
    evidence: dict[str, str]
    before: frozenset[int]
    deadline_s: float

    @property
    def first_s(self) -> float:
        """Stamp of the instance's first instruction."""
        return self.channel.stamps[Phase.FIRST_INSTRUCTION]

    def wait(self, status: HealthStatus, after_s: float) -> float:
        """Wait until a health is reported, and return its stamp."""
        return self.watch.wait(status, after_s, self.left_s)

    def toggle(self) -> float:
        """Break or mend the state of health, and return the stamp at which that was done.

        Raises:
            NotApplicable: The host cannot signal the payload.
        """
        payloads = poke.payloads(self.instance.pids())[:1]  # a probe is a payload, too, with a higher PID
        if not payloads:
            msg = f"the host cannot signal the payload in '{self.context.engine.target.text}', which is to break its health"
            raise NotApplicable(msg)
        seen = len(self.channel.lines)
        poke.tell(payloads)
        return self.channel.wait_line("A ", _WAIT_S, self.instance.alive, after=seen).at_s

    def probes(self, after_s: float, until_s: float) -> list[float]:
        """Return the stamps of the first instructions of probes between two moments."""
        return begun(self.channel.lines, after_s, until_s)

    def wait_probes(self, count: int) -> list[float]:
        """Wait until that many probes have begun since the start, and return their stamps.

        Raises:
            InvocationTimeout: There were fewer when the time was up.
        """
        while len(found := self.probes(0.0, now_s())) < count:
            if self.watch.error is not None:
                raise self.watch.error
            if self.left_s <= 0:
                msg = f"only {len(found)} of {count} probes have begun in the time of the invocation"
                raise InvocationTimeout(msg)
            sleep_s(_GAP_S)
        return found

    @property
    def left_s(self) -> float:
        """Seconds until the invocation times out."""
        return max(0.0, self.deadline_s - now_s())


@contextlib.contextmanager
def checked(context: InvocationContext, check: HealthCheck, image: Image | None = None) -> Iterator[Checked]:
    """Yield a ready instance with a running health check."""
    health = ability(context)
    health.refuse(check)
    deadline = now_s() + context.timeout_s
    spec = dataclasses.replace(spec_of(context, image), health=check)
    with reported(health, spec.name) as watch, life.living(context, spec) as (instance, channel):
        before = left.every(context, instance)
        evidence = proved(context, instance, check)
        found = Checked(context, instance, channel, watch, check, evidence, before, deadline)
        with context.account.engine(), driven(watch, health, instance, check):
            yield found


def ability(context: InvocationContext) -> HealthChecks:
    """Return how the engine checks health.

    Raises:
        NotApplicable: It does not.
    """
    if not isinstance(context.engine, ChecksHealth):
        msg = f"'{context.engine.target.text}' has no health checks of its own"
        raise NotApplicable(msg)
    return context.engine.health


def spec_of(context: InvocationContext, image: Image | None, suffix: str = "") -> InstanceSpec:
    """Return the spec of an instance with a state of health, and as yet without a check."""
    return life.spec_of(context, PAYLOAD, suffix=suffix, image=image)


def proved(context: InvocationContext, instance: Instance, check: HealthCheck) -> dict[str, str]:
    """Read back what runs, and the check that the engine has recorded.

    Raises:
        EvidenceMismatch: It is another check.
    """
    evidence = life.evidence_of(context, instance)
    if evidence.get("health") != check.text:
        raise EvidenceMismatch("health", check.text, evidence.get("health", ""))
    return evidence


def plain(context: InvocationContext, form: str, **changes: float) -> HealthCheck:
    """Return the check of this invocation, whose probe ends at once."""
    asked = HealthCheck(
        ("--probe", STATE),
        "shell" if form == "shell" else "cmd",
        interval_s=float(context.params["interval_s"]),
        timeout_s=PATIENT_S,
        retries=int(context.params["retries"]),
    )
    return dataclasses.replace(asked, **changes)  # type: ignore[arg-type]


def with_shell(context: InvocationContext) -> Image:
    """Return the payload's image on busybox, which has a shell, known to the engine.

    Raises:
        NotApplicable: The engine runs no other images.
    """
    if not isinstance(context.engine, RunsImages):
        msg = f"'{context.engine.target.text}' runs no image with a shell"
        raise NotApplicable(msg)
    image = bases.with_payload(context.lab.paths.state, "busybox")
    context.engine.images.add(image)
    return image


def shell_of(argv: list[str]) -> list[str]:
    """Return the command line of a shell that runs a probe as the check's shell form does."""
    return ["/bin/sh", "-c", f"{shlex.join(argv)} || exit 1"]
