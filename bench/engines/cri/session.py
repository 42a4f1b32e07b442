"""The connection of one target to its CRI runtime, made when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from bench.engines.builds import Build
from bench.engines.closing import close_with
from bench.engines.cri import api
from bench.engines.cri.api import Api
from bench.engines.cri.daemon import cri_name, start_cri
from bench.lab import Lab


class Session:
    """A runtime and one connection to it.

    Attributes:
        lab: The lab.
        endpoint: The socket of a user's own runtime, or ``lab``.
        build: Program and settings of the lab's runtime.
        leave: Called when the lab closes, before the connection is closed.
        own: Whether the runtime is the lab's.
    """

    def __init__(self, lab: Lab, endpoint: str, build: Build, leave: Callable[[], None]) -> None:
        self.lab = lab
        self.endpoint = endpoint
        self.build = build
        self.leave = leave
        self.own = endpoint == "lab"

    @cached_property
    def path(self) -> str:
        """The runtime's socket; the lab's runtime is started unless it runs."""
        return str(start_cri(self.lab, self.build)) if self.own else api.outside(self.endpoint)

    @cached_property
    def api(self) -> Api:
        """The connection, which is closed with the lab."""
        made = Api(self.path, self.lab.daemons.dead) if self.own else Api(self.path)
        close_with(self.lab, made.close)
        close_with(self.lab, self.leave)
        return made

    @cached_property
    def server(self) -> int | str:
        """Process id of the runtime; ``thread-self`` (this process) where it is unknown."""
        if self.own:
            return self.lab.daemons.running[cri_name(self.build)].pid
        return api.server_pid(self.path) or "thread-self"
