"""The starts and ends of one instance, as its payload reports them, and the means to end it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence

from bench.core import proctable
from bench.core.clock import Channel, Line, now_s
from bench.core.errors import NotApplicable
from bench.invocation import poke

_START, _WAITS, _END = "B start", "B quit", "E quit"


class Watch:
    """Follows the payload of one instance, which has its name as an argument and the action ``--quit``.

    Attributes:
        channel: Where it reports.
        name: The instance's name.
        timeout_s: Time limit of each wait, seconds.
    """

    def __init__(self, channel: Channel, name: str, timeout_s: float) -> None:
        self.channel = channel
        self.name = name
        self.timeout_s = timeout_s

    def starts(self, since_s: float = 0.0) -> list[float]:
        """Return the stamps of the first instructions since a moment."""
        return self._stamps(_START, since_s)

    def ends(self, since_s: float = 0.0) -> list[float]:
        """Return the stamps of the exits since a moment."""
        return self._stamps(_END, since_s)

    def wait_start(self, number: int) -> float:
        """Wait until the instance has been started that many times and can be told to end; return the stamp of the last start."""
        self._wait(_WAITS, number)
        return self._wait(_START, number)

    def wait_end(self, number: int) -> float:
        """Wait until it has ended that many times, and return the stamp of the last end."""
        return self._wait(_END, number)

    def payload(self) -> int:
        """Return the PID of the payload on the host.

        Raises:
            NotApplicable: The host cannot see it.
        """
        found = poke.payloads(proctable.with_argument(self.name))
        if not found:
            msg = f"no process of '{self.name}' can be seen on the host, so that it cannot be ended"
            raise NotApplicable(msg)
        return found[-1]

    def tell(self) -> None:
        """Tell the payload to go on: to end, or to use up its memory."""
        poke.tell([self.payload()])

    def kill(self) -> None:
        """End the payload with SIGKILL, as the kernel would: the engine is not asked."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.payload(), signal.SIGKILL)

    def crash(self) -> float:
        """Tell the payload to end; return the seconds from its exit to its next first instruction."""
        number = len(self.ends()) + 1
        self.tell()
        return -self.wait_end(number) + self.wait_start(number + 1)

    def _stamps(self, begin: str, since_s: float) -> list[float]:
        return _stamps(list(self.channel.lines), begin, since_s)

    def _wait(self, begin: str, number: int) -> float:
        """Wait until there are that many such lines, and return the stamp of the last."""
        end = now_s() + self.timeout_s
        while True:
            lines = list(self.channel.lines)
            found = _stamps(lines, begin)
            if len(found) >= number:
                return found[number - 1]
            self.channel.wait_line(begin, max(0.0, end - now_s()), after=len(lines))


def _stamps(lines: Sequence[Line], begin: str, since_s: float = 0.0) -> list[float]:
    return [line.at_s for line in lines if line.at_s >= since_s and line.text.startswith(begin)]
