"""What is there of a project while several threads make it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines.projects import Need


class OtherFailed(InvocationFailed):
    """A service was not made because another one has failed."""


@dataclass
class Progress:
    """What is there of a project while several threads make it.

    Attributes:
        timeout_s: How long a service is waited for, seconds.
    """

    timeout_s: float
    _there: set[Need] = field(default_factory=set)
    _failed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, need: Need) -> None:
        """Note that a service is there."""
        with self._changed:
            self._there.add(need)
            self._changed.notify_all()

    def fail(self) -> None:
        """End all waiting: something has failed."""
        with self._changed:
            self._failed = True
            self._changed.notify_all()

    def wait(self, needs: Sequence[Need]) -> None:
        """Wait until all of these services are there.

        Raises:
            InvocationTimeout: They are not in time.
            OtherFailed: Another service has failed.
        """
        end = now_s() + self.timeout_s
        with self._changed:
            while missing := [need for need in needs if need not in self._there]:
                if self._failed:
                    msg = f"another service failed while '{missing[0].service}' was waited for"
                    raise OtherFailed(msg)
                if not self._changed.wait(max(0.0, end - now_s())) and now_s() >= end:
                    state = "healthy" if missing[0].healthy else "started"
                    msg = f"service '{missing[0].service}' was not {state} within {self.timeout_s:g} s"
                    raise InvocationTimeout(msg)


def is_consequence(error: BaseException | None) -> bool:
    """Say whether an error is only the consequence of another service's."""
    return isinstance(error, OtherFailed)
