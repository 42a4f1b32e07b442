"""The bare host: the payload as a plain process. What every other target is compared with."""

from __future__ import annotations

import platform
import signal
from collections.abc import Mapping
from typing import Literal

from bench import proc
from bench.engines.base import Instance, Job, refuse_limits
from bench.lab import Lab, images
from bench.model import Facts, Phase, Target

_GRACE_S = 10.0


class Host:
    """A process of the host, without any isolation and without limits."""

    phases = frozenset({Phase.STARTED, Phase.FIRST_INSTRUCTION, Phase.READY, Phase.STOPPED})
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._live: dict[str, proc.Process] = {}

    def prepare(self) -> Facts:
        """Compile the payload where that was not done yet."""
        payload = images.payload(self._lab.paths.state)
        self._program = str(payload.path)
        self._environment = proc.environment()
        return Facts({"kernel": platform.release(), "payload": payload.digest})

    def create(self, job: Job) -> Instance:
        """Put the command line together; a process has no state before it is started."""
        refuse_limits(self.target, job)
        argv = [self._program, "--events", f"unix:{job.events}", "--name", job.name, *job.command(inside=False)]
        return Instance(
            job.name,
            lambda: self._pids(job.name),
            lambda: self._ended(job.name),
            {"command": proc.command(argv, env=self._environment)},
        )

    def start(self, instance: Instance) -> None:
        """Start the process; returns when the kernel has executed it."""
        self._live[instance.name] = instance.handle["command"].start()

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read which program runs, and that it shares the host's namespaces."""
        from bench.engines import _evidence  # noqa: PLC0415 - not needed to start a process

        return _evidence.of_process(self._live[instance.name].pid)

    def stop(self, instance: Instance) -> None:
        """End it with SIGTERM, SIGKILL after the grace."""
        self._live[instance.name].stop(_GRACE_S, signal.SIGTERM)

    def delete(self, name: str) -> None:
        """Forget it; ends it when it still runs."""
        process = self._live.pop(name, None)
        if process is not None and process.poll() is None:
            process.stop(0, signal.SIGKILL)

    def _pids(self, name: str) -> set[int]:
        process = self._live.get(name)
        return {process.pid} if process is not None and process.poll() is None else set()

    def _ended(self, name: str) -> str | None:
        process = self._live.get(name)
        if process is None or (status := process.poll()) is None:
            return None
        return f"the payload ended with {proc.describe_status(status)}"
