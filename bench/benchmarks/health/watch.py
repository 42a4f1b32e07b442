"""Follow the health of one instance: the engine's reports, or the answers to probes that the caller starts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.core.clock import Line, now_s
from bench.core.errors import InvocationFailed, InvocationTimeout, TareError
from bench.engines.abilities import HealthChecks, HealthStatus
from bench.engines.base import HealthCheck, Instance

_LIMIT_S = 60.0
"""Time limit of one probe that the caller starts, beside the check's own."""
_GAP_S = 0.25


@dataclass(frozen=True)
class Change:
    """The health that was reported, and when the report had arrived."""

    at_s: float
    status: HealthStatus


@dataclass
class Watch:
    """What has been reported of one instance.

    Attributes:
        changes: The changes of its health, in order.
        probes: Begin and end of each probe that the caller has started.
        error: Why nothing more will be reported.
    """

    changes: list[Change] = field(default_factory=list)
    probes: list[tuple[float, float]] = field(default_factory=list)
    error: TareError | None = None
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    _stop: threading.Event = field(default_factory=threading.Event)

    def wait(self, status: HealthStatus, after_s: float, timeout_s: float) -> float:
        """Wait until a health is reported after a moment, and return its stamp.

        Raises:
            InvocationTimeout: It was not reported in time.
            InvocationFailed: Nothing more will be reported.
        """
        end = now_s() + timeout_s
        with self._arrived:
            while (found := self._first(status, after_s)) is None:
                if self.error is not None:
                    raise self.error
                if now_s() > end:
                    said = ", ".join(change.status for change in self.changes) or "nothing"
                    msg = f"the instance did not become {status} within {timeout_s:.3g} s; reported so far: {said}"
                    raise InvocationTimeout(msg)
                self._arrived.wait(_GAP_S)
        return found

    def read(self, changes: Iterator[HealthStatus]) -> None:
        """Stamp each report of an engine; runs in a thread."""
        try:
            for status in changes:
                self._report(status)
        except Exception as error:  # noqa: BLE001 - whatever ends the stream must reach the one who waits
            if not self._stop.is_set():
                self._fail(InvocationFailed(f"the engine's reports broke off: {error}"))

    def drive(self, health: HealthChecks, instance: Instance, check: HealthCheck) -> None:
        """Start a probe, an interval after the end of the last one, until the end; runs in a thread."""
        last: HealthStatus = "starting"
        while not self._stop.wait(check.interval_s):
            begin = now_s()
            try:
                status = health.probe(instance, _LIMIT_S + check.timeout_s)
            except TareError as error:
                self._fail(error)
                return
            self.probes.append((begin, now_s()))
            if status != last:
                last = status
                self._report(status)

    def stop(self) -> None:
        """Start no further probe, and ignore the end of the reports."""
        self._stop.set()

    def _first(self, status: HealthStatus, after_s: float) -> float | None:
        return next((one.at_s for one in self.changes if one.status == status and one.at_s > after_s), None)

    def _report(self, status: HealthStatus) -> None:
        with self._arrived:
            self.changes.append(Change(now_s(), status))
            self._arrived.notify_all()

    def _fail(self, error: TareError) -> None:
        with self._arrived:
            self.error = error
            self._arrived.notify_all()


@contextlib.contextmanager
def reported(health: HealthChecks, name: str) -> Iterator[Watch]:
    """Yield a watch that follows the engine's reports of an instance, which need not exist yet."""
    watch = Watch()
    with health.changes(name) as changes:
        thread = threading.Thread(target=watch.read, args=(changes,), name="tare-health", daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.stop()
    thread.join(_LIMIT_S)


@contextlib.contextmanager
def driven(watch: Watch, health: HealthChecks, instance: Instance, check: HealthCheck) -> Iterator[None]:
    """Start the probes of an instance during the block if its engine does not."""
    if health.automatic:
        yield
        return
    thread = threading.Thread(target=watch.drive, args=(health, instance, check), name="tare-health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop()
        thread.join(_LIMIT_S)


def begun(lines: list[Line], after_s: float, until_s: float) -> list[float]:
    """Return the stamps of the first instructions of probes between two moments."""
    return [line.at_s for line in list(lines) if line.text == "B probe" and after_s < line.at_s <= until_s]
