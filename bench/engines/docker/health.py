"""Health checks of Docker, whose daemon starts the probes, and of Podman, whose probes are started by the caller here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HealthStatus
from bench.engines.base import HealthCheck, Instance
from bench.engines.docker.health_config import START_INTERVAL_API
from bench.engines.docker.session import Session, release

if TYPE_CHECKING:
    from bench.engines.docker.podman import MonitoredCommands

_EVENT = "health_status"
_LIBPOD = "http+docker://localhost/v4.0.0/libpod"
"""Podman's own API; Docker's has no request for a probe."""
_TOO_LONG = "exceeded timeout"
"""What Podman says of a probe that has taken longer than its time limit, which is a failed one."""


class HealthChecks:
    """The health of containers of one Docker target."""

    automatic = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> str:
        """Return name and version of the daemon."""
        return release(self._session)

    def refuse(self, check: HealthCheck) -> None:
        """Refuse what this release does not know.

        Raises:
            NotApplicable: A start interval for a daemon before 25, or a program without a shell for the command line.
        """
        session = self._session
        version = str(session.client.api_version)
        if check.start_interval_s is not None and tuple(map(int, version.split("."))) < START_INTERVAL_API:
            msg = f"a start interval needs Docker's API {'.'.join(map(str, START_INTERVAL_API))}; this daemon has {version}"
            raise NotApplicable(msg)
        if check.form == "cmd" and session.verbs.name == "cli":
            msg = "'docker create --health-cmd' always uses a shell; use the form 'shell'"
            raise NotApplicable(msg)

    def status(self, instance: Instance) -> HealthStatus:
        """Ask the daemon for the container's health."""
        state = instance.handle["container"].inspect()["State"]
        return cast("HealthStatus", (state.get("Health") or state["Healthcheck"])["Status"])

    @contextlib.contextmanager
    def changes(self, name: str) -> Iterator[Iterator[HealthStatus]]:
        """Yield the daemon's events of the container's health."""
        wanted = {"container": name, "event": _EVENT}
        with self._session.asked("events"):
            events = self._session.client.events(filters=wanted, decode=True)
        try:
            yield (cast("HealthStatus", str(event["status"]).rpartition(" ")[2]) for event in events)
        finally:
            with contextlib.suppress(OSError):  # the daemon has died, and the stream with it
                events.close()

    def probe(self, instance: Instance, timeout_s: float) -> HealthStatus:
        """Refuse: the daemon starts the probes."""
        msg = f"the daemon starts the probes of '{instance.name}' itself"
        raise NotApplicable(msg)


class CalledHealthChecks(HealthChecks):
    """The health of containers of one Podman service.

    Podman leaves it to timers of systemd to start probes. The lab has no systemd, so it makes none, and the caller starts each
    probe by the same request that ``podman healthcheck run`` makes.
    """

    automatic = False

    def __init__(self, session: Session, commands: MonitoredCommands) -> None:
        super().__init__(session)
        self._commands = commands

    def refuse(self, check: HealthCheck) -> None:
        """Refuse what Podman does not know.

        Raises:
            NotApplicable: A start interval.
        """
        if check.start_interval_s is not None:
            msg = "Podman has no start interval"
            raise NotApplicable(msg)

    @contextlib.contextmanager
    def changes(self, name: str) -> Iterator[Iterator[HealthStatus]]:
        """Yield nothing: the health changes only by a probe, which returns it."""
        yield iter(())

    def probe(self, instance: Instance, timeout_s: float) -> HealthStatus:
        """Run one probe and return the health after it."""
        self._commands.remember(instance)
        path = f"{_LIBPOD}/containers/{instance.handle['container'].id}/healthcheck"
        with self._session.asked("health check"):
            answer = self._session.client.get(path, timeout=timeout_s)
            if not answer.ok and _TOO_LONG not in answer.text:
                msg = f"Podman's health check could not be run: {answer.text.strip()[:300]}"
                raise InvocationFailed(msg)
        return self.status(instance)  # the answer tells only how this one probe has ended
