"""The connection of one target to its CRI runtime, made when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.engines import sockets
from bench.engines.builds import Build
from bench.engines.closing import close_with
from bench.engines.cri.api import Api
from bench.engines.cri.daemon import cri_name, start_cri
from bench.engines.evidence import process
from bench.engines.grpc import Message
from bench.lab import Lab

_CLEANUP_S, _GAP_S = 30.0, 0.05
_NO_CRI = "give the socket of a CRI runtime, for example /run/crio/crio.sock; containerd needs its CRI plugin enabled"


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
        self._found: int | None = None

    @cached_property
    def path(self) -> str:
        """The runtime's socket; the lab's runtime is started unless it runs."""
        return str(start_cri(self.lab, self.build)) if self.own else sockets.outside(self.endpoint)

    @cached_property
    def api(self) -> Api:
        """The connection, which is closed with the lab."""
        made = Api(self.path, self.lab.daemons.dead) if self.own else Api(self.path)
        close_with(self.lab, made.close)
        close_with(self.lab, self.leave)
        return made

    @property
    def pid(self) -> int | None:
        """PID of the runtime; ``None`` where it is unknown."""
        if self.own:
            return self.lab.daemons.running[cri_name(self.build)].pid
        if self._found is None or not process.runs(self._found):  # it may have been started again
            self._found = sockets.owner(self.path)
        return self._found

    @property
    def server(self) -> int | str:
        """PID of the runtime; ``thread-self`` (this process) where it is unknown."""
        return self.pid or "thread-self"

    def version(self) -> Message:
        """Return the runtime's first answer, ``VersionResponse``.

        Raises:
            TargetUnavailable: Nobody answers at a user's endpoint, or something else than a CRI runtime.
            InvocationFailed: The lab's own runtime does not answer.
        """
        if self.own:
            return self._first_answer()
        sockets.check(self.endpoint, self.path)
        try:
            return self.api.version(sockets.ANSWER_S)
        except InvocationTimeout as error:
            msg = f"'{self.endpoint}' accepts connections but does not answer within {sockets.ANSWER_S:g} s"
            raise TargetUnavailable(msg, "see the runtime's log, or restart it") from error
        except InvocationFailed as error:
            msg = f"'{self.endpoint}' is not the socket of a runtime that speaks CRI v1: {error}"
            raise TargetUnavailable(msg, _NO_CRI) from error

    def _first_answer(self) -> Message:
        """Return the version of the lab's runtime. Its socket listens, and calls fail, before the CRI plugin is initialised."""
        end_s = now_s() + _CLEANUP_S
        while True:
            try:
                return self.api.version(max(_GAP_S, end_s - now_s()))
            except InvocationFailed:
                if self.lab.daemons.dead() or now_s() >= end_s:
                    raise
                sleep_s(_GAP_S)
