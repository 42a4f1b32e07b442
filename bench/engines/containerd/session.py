"""The connection of one target to the lab's containerd, made when it is first used."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.engines.builds import Build
from bench.engines.containerd.api import Api
from bench.engines.containerd.daemon import containerd_name, start_containerd
from bench.engines.grpc import NotFoundError
from bench.lab import Lab

NAMESPACE = "tare"
CLEANUP_S = 30.0


class Session:
    """A daemon and one connection to it.

    Attributes:
        lab: The lab.
        snapshotter: The snapshotter.
        build: Program and settings of the daemon.
    """

    def __init__(self, lab: Lab, snapshotter: str, build: Build) -> None:
        self.lab = lab
        self.snapshotter = snapshotter
        self.build = build

    @cached_property
    def socket(self) -> Path:
        """The daemon's socket; the daemon is started unless it runs."""
        return start_containerd(self.lab, self.snapshotter, self.build)

    @cached_property
    def api(self) -> Api:
        """The connection, which is closed with the lab."""
        api = Api(self.socket, NAMESPACE, self.lab.daemons.dead)
        self.lab.daemons.clients.callback(api.close)
        return api

    @property
    def daemon_pid(self) -> int:
        """Process id of the daemon."""
        return self.lab.daemons.running[containerd_name(self.snapshotter, self.build)].pid

    def call_if_there(self, method: str, **fields: Any) -> None:
        """Make a call about an object that may be gone."""
        with contextlib.suppress(NotFoundError):
            self.api.call(method, CLEANUP_S, **fields)
