"""Further commands in a pod's container by CRI's ``ExecSync``, the call of a kubelet's exec probes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.cri.session import Session
from bench.lab import images

_ANSWER_S = 5.0
"""Time that the runtime has, after a command's own time limit, to end the command and to answer, seconds."""


class Commands:
    """Runs commands in the containers of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the payload's command line."""
        return [images.PAYLOAD, "--events", f"unix:{images.EVENTS}"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command and return when the runtime has answered; the runtime ends it after whole seconds."""
        limit_s = math.ceil(timeout_s)
        done = self._session.api.call(
            "ExecSync",
            limit_s + _ANSWER_S,
            container_id=instance.handle["made"].container,
            cmd=list(argv),
            timeout=limit_s,
        )
        return Finished(int(done.exit_code), (done.stdout + done.stderr).decode(errors="replace"))
