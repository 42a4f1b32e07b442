"""An engine for unit tests: no process, no root; it fails where its options say. Never part of a scenario."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines.base import Instance, InstanceSpec, Kind, Transport
from bench.engines.declaration import EngineType
from bench.lab import Lab

FAKE = EngineType("fake", "bench.engines.fake:Fake", {"fail": (), "copy": ()})


class Fake:
    """Sends the payload's events itself and records every call.

    Options: ``fail`` names the step that fails (``prepare``, ``create``, ``start``, ``ready`` (never comes), ``dies`` (before
    ready), ``evidence``, ``mismatch``, ``stop``, ``delete``, ``bug``).
    """

    phases = frozenset(Phase)
    kind: Kind = "container"
    channel: Transport = "datagram"
    unproved = frozenset({"fail", "copy", "payload"})

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self.lab = lab
        self.calls: list[str] = []
        self.live: set[str] = set()

    def prepare(self) -> Facts:
        """Do nothing, or fail."""
        self.calls.append("prepare")
        if self._fails("prepare"):
            msg = "the fake engine was told not to run"
            raise TargetUnavailable(msg, "leave out fail=prepare")
        return Facts({"version": "0"})

    def create(self, spec: InstanceSpec) -> Instance:
        """Record the instance."""
        self._step("create")
        self.live.add(spec.name)
        dead = "the fake payload died" if self._fails("dies") else None
        return Instance(spec.name, set, lambda: dead, {"events": spec.events})

    def start(self, instance: Instance) -> None:
        """Send what a payload would."""
        self._step("start")
        if self._fails("bug"):
            msg = "a programming error in an engine"
            raise ZeroDivisionError(msg)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(instance.handle["events"]))
            sock.send(b"F\n")
            if not self._fails("ready") and not self._fails("dies"):
                sock.send(b"R\n")

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Return evidence that matches the target, or that contradicts it."""
        self._step("evidence")
        return {"fail": "something else"} if self._fails("mismatch") else {"instance": instance.name}

    def stop(self, instance: Instance) -> None:
        """Do nothing."""
        self._step("stop")
        assert instance.name in self.live  # noqa: S101 - a fake for tests

    def delete(self, name: str) -> None:
        """Forget the instance."""
        self._step("delete")
        self.live.discard(name)

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self._fails(name):
            msg = f"the fake engine fails at {name}"
            raise InvocationFailed(msg)

    def _fails(self, step: str) -> bool:
        return self.target.options.get("fail") == step
