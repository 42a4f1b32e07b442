"""Restarting and renaming containers of Docker and Podman."""

from __future__ import annotations

from bench.engines.base import STOP_GRACE_S, Instance
from bench.engines.docker.session import CLEANUP_S, Session


class Changes:
    """The two requests; the daemon's own client would make the same."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def restart(self, instance: Instance) -> None:
        """End the container as :meth:`Docker.stop` does and start it again; return when the daemon reports "started"."""
        container = instance.handle["container"]
        with self._session.asked("restart"):
            self._session.client.timeout = STOP_GRACE_S + CLEANUP_S
            self._session.client.restart(container.id, timeout=STOP_GRACE_S)
        container.pid = 0  # it has another process now

    def rename(self, instance: Instance, name: str) -> None:
        """Rename the container."""
        self._session.endpoint.made.record("container", name)
        with self._session.asked("rename"):
            self._session.client.rename(instance.handle["container"].id, name)
