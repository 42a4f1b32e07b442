"""Restart policies of Docker: what the daemon says of a container, what the documentation promises, and a daemon to be ended."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.core import kernelfiles, proc
from bench.core.errors import InvocationFailed, LabError, NotApplicable
from bench.engines.base import Engine, Instance, RestartPolicy
from bench.engines.docker.endpoints import LabDaemon
from bench.engines.docker.session import Session, release
from bench.engines.restarting import Cause, Fate, OwnDaemon, RestartState

_GRACE_S = 30.0
"""How long a daemon may take to end its containers and itself; dockerd gives each container 10 s."""

DOWN, KEPT, AGAIN = Fate(0, running=False), Fate(0, running=True), Fate(1, running=True)


class Ended:
    """A daemon of the lab that only one benchmark uses, and the engine of its containers."""

    def __init__(self, engine: Engine, endpoint: LabDaemon, session: Session) -> None:
        self.engine = engine
        self._endpoint = endpoint
        self._daemons = session.lab.daemons
        self._running = self._daemons.running

    def stop(self) -> None:
        """End it with SIGTERM and wait for its end."""
        self._process().stop(_GRACE_S)

    def kill(self) -> None:
        """End it with SIGKILL and wait for its end."""
        process = self._process()
        process.send(signal.SIGKILL)
        process.wait(_GRACE_S)

    def start(self) -> None:
        """Start it again; return when it answers."""
        try:
            self._endpoint.url()
        except LabError as error:
            raise InvocationFailed(str(error)) from error

    def close(self) -> None:
        """End it if it runs, and unmount what it has left: after a SIGKILL it forgets network namespaces."""
        if self._endpoint.name in self._running:
            self.stop()
        below = f"{self._daemons.home(self._endpoint.name)}/"
        kept = {str(path) for path in self._daemons.disks.mounts}
        table = kernelfiles.table(kernelfiles.PROC / "thread-self/mountinfo")
        for path in reversed([row[4] for row in table if row[4:5] and row[4].startswith(below)]):
            if path not in kept:
                self._daemons.namespace.run(["umount", path])

    def _process(self) -> proc.Process:
        """Return its process, which no longer counts as one that must run."""
        return self._running.pop(self._endpoint.name)


Beside = Callable[[bool], tuple[Engine, LabDaemon]]
"""Makes an engine over a daemon of its own, and that daemon; told whether containers shall survive it."""


class Restarter:
    """How one target's Docker daemon restarts containers."""

    backs_off = True

    def __init__(self, session: Session, beside: Beside) -> None:
        self._session = session
        self._beside = beside

    def version(self) -> str:
        """Return name and version of the daemon."""
        return release(self._session)

    def state(self, instance: Instance) -> RestartState:
        """Ask the daemon about a container."""
        found = self._session.inspect(instance.handle["container"].id)
        said, restarts = found["State"], int(found.get("RestartCount", 0))
        policy = _policy(found["HostConfig"]["RestartPolicy"])
        if said.get("Restarting"):  # the daemon says "running" as well
            return RestartState("waiting", restarts, policy)
        return RestartState("running" if said["Running"] else "ended", restarts, policy)

    def documented(self, policy: RestartPolicy, cause: Cause, live_restore: bool | None) -> Fate:
        """Return what Docker's documentation promises ("Start containers automatically", "Live restore").

        A container that was stopped by hand is started again only when the daemon is, and not with ``unless-stopped``. With
        ``on-failure`` a daemon's restart starts nothing. Without live restore a daemon that ends shuts its containers down.
        """
        if live_restore is None:
            return ended(policy, cause)
        if cause.startswith("stopped by the user"):
            return AGAIN if policy.name == "always" else DOWN
        if live_restore:
            return KEPT
        return AGAIN if policy.name in ("always", "unless-stopped") else DOWN

    def own_daemon(self, live_restore: bool) -> contextlib.AbstractContextManager[OwnDaemon]:
        """Start a daemon with the target's program, runtime and storage driver, whose containers have no network.

        Raises:
            NotApplicable: The target's daemon is the user's own.
        """
        if self._session.target.options.get("endpoint", "lab") != "lab":
            msg = "the user's own daemon is not ended"
            raise NotApplicable(msg)
        return self._opened(*self._beside(live_restore))

    @contextlib.contextmanager
    def _opened(self, engine: Engine, endpoint: LabDaemon) -> Iterator[OwnDaemon]:
        own = Ended(engine, endpoint, self._session)
        try:
            engine.prepare()
            yield own
        finally:
            own.close()


def _policy(said: Mapping[str, Any]) -> str:
    """Return a container's policy as its daemon has recorded it; an empty name is that of ``no``."""
    retries = int(said.get("MaximumRetryCount") or 0)
    name = str(said.get("Name") or "no")
    return f"{name}:{retries}" if retries else name


def ended(policy: RestartPolicy, cause: Cause) -> Fate:
    """Return what becomes of a container that ends while its daemon runs, in Docker and in Podman."""
    if policy.name == "no" or cause == "stopped by the user":
        return DOWN
    if cause == "exit 1 each time":
        return Fate(policy.retries, running=False)
    return DOWN if policy.name == "on-failure" and cause == "exit 0" else AGAIN
