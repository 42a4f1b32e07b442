"""The payload that writes log lines on request, as the host sees it by its reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.engines.base import Instance
from bench.invocation import poke
from bench.invocation.context import InvocationContext
from bench.workloads import lines
from bench.workloads.lines import Load, Written

_LOOK_S = 0.02
"""Pause between two looks at the payload's reports: waiting for each of them would disturb their stamps."""


@dataclass(frozen=True)
class Writer:
    """The payload of a live instance, which writes a load each time that it is told to.

    Attributes:
        context: Its invocation.
        instance: The instance.
        channel: The channel on which it reports.
        loads: What it writes, in order.
    """

    context: InvocationContext
    instance: Instance
    channel: Channel
    loads: Sequence[Load]

    def go(self) -> None:
        """Tell the payload to write its next load.

        Raises:
            NotApplicable: The host cannot reach the payload.
        """
        if not poke.go_on(self.instance, self.channel):
            msg = f"the host cannot tell the payload in '{self.context.engine.target.text}' to write"
            raise NotApplicable(msg)

    def ended(self) -> int:
        """Return how many loads have been written to their end."""
        return sum(line.text.startswith("C lines ") for line in list(self.channel.lines))

    def wait(self, count: int, timeout_s: float) -> bool:
        """Wait until that many loads are written; return whether they are.

        Raises:
            InvocationFailed: The instance ended.
        """
        deadline = now_s() + timeout_s
        while self.ended() < count:
            if now_s() > deadline:
                return False
            if (why := self.instance.alive()) and self.ended() < count:
                msg = f"the instance ended before it had written its lines: {why}"
                raise InvocationFailed(msg)
            sleep_s(_LOOK_S)
        return True

    def stands_still(self, count: int, limit_s: float) -> bool:
        """Wait until that many loads are written; return true when nothing was reported for ``limit_s`` seconds before that."""
        deadline, before = now_s() + limit_s, -1
        while self.ended() < count:
            if (reports := len(self.channel.lines)) != before:
                deadline, before = now_s() + limit_s, reports
            if now_s() > deadline:
                return True
            sleep_s(_LOOK_S)
        return False

    def written(self) -> list[Written]:
        """Return what was written; wait for it within the invocation's time limit.

        Raises:
            InvocationTimeout: It is not written in time.
        """
        if not self.wait(len(self.loads), self.context.timeout_s):
            msg = f"the lines were not written within {self.context.timeout_s:g} s"
            raise InvocationTimeout(msg)
        return lines.written(self.channel.lines)
