"""One container as the engine follows it: its processes, and why it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.core import proctable
from bench.core.errors import InvocationFailed
from bench.engines.base import Bind
from bench.engines.docker.session import Session
from bench.engines.evidence import gvisor, process

_ENDED = ("exited", "stopped", "dead", "removing")  # Podman says "stopped" of what ended by itself


@dataclass
class Container:
    """A created container.

    Attributes:
        session: The connection to its daemon.
        id: The daemon's id of it.
        timeout_s: Time limit of each request, seconds.
        binds: What it sees of the host.
        pid: Its first process; 0 before it is started.
        mount: Argument by which the helper process of its storage driver is found; empty without one.
    """

    session: Session
    id: str
    timeout_s: float
    binds: Sequence[Bind]
    pid: int = 0
    mount: str = ""

    def pids(self) -> set[int]:
        """Return its PIDs on the host, with those of its shim and of its storage driver."""
        with contextlib.suppress(InvocationFailed):  # it is gone
            self.pid = self.pid or int(self.inspect()["State"]["Pid"])
            if self.pid and not self.mount and self.session.endpoint.storage == "fuse-overlayfs":
                self.mount = self.inspect()["GraphDriver"]["Data"]["MergedDir"]
        family = gvisor.family if self.session.endpoint.runtime == "runsc" else process.shim_family
        found = family(self.pid) if self.pid else set()
        return found | (proctable.with_argument(self.mount) if found and self.mount else set())

    def why_ended(self) -> str | None:
        """Return why it has ended, ``None`` while it runs."""
        if self.pid and process.runs(self.pid):
            return None
        try:
            state = self.inspect()["State"]
        except InvocationFailed as error:
            return str(error)
        self.pid = int(state["Pid"])
        if state["Status"] not in _ENDED:
            return None
        return f"the container ended with {process.describe_exit(int(state['ExitCode']))} {state['Error']}".rstrip()

    def inspect(self) -> dict[str, Any]:
        """Return what the daemon says of it."""
        return self.session.inspect(self.id)
