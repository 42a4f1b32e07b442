"""When the services of a project were made, started and healthy, as the engine reports it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines.abilities import Projects
from bench.engines.projects import Change, Moment, Project

_GAP_S = 0.25
_END_S = 30.0


@dataclass
class Watch:
    """The first report of each moment of each service.

    Attributes:
        at: Service and moment → stamp of the report's arrival.
    """

    at: dict[tuple[str, Moment], float] = field(default_factory=dict)
    _error: str = ""
    _over: bool = False
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def read(self, changes: Iterator[Change]) -> None:
        """Stamp each report; runs in a thread."""
        try:
            for change in changes:
                at_s = now_s()
                with self._arrived:
                    self.at.setdefault((change.service, change.moment), at_s)
                    self._arrived.notify_all()
        except Exception as error:  # noqa: BLE001 - whatever ends the stream must reach the one who waits
            self.stop(str(error))

    def wait(self, service: str, moment: Moment, end_s: float) -> float:
        """Wait for a report and return its stamp.

        Raises:
            InvocationTimeout: It did not come in time.
            InvocationFailed: Nothing more will be reported.
        """
        with self._arrived:
            while (found := self.at.get((service, moment))) is None:
                if self._error and not self._over:
                    msg = f"the engine's reports broke off: {self._error}"
                    raise InvocationFailed(msg)
                if now_s() > end_s:
                    msg = f"service '{service}' was not reported {moment} in time"
                    raise InvocationTimeout(msg)
                self._arrived.wait(_GAP_S)
        return found

    def stop(self, error: str = "", *, over: bool = False) -> None:
        """Expect no further report."""
        with self._arrived:
            self._error, self._over = self._error or error, self._over or over
            self._arrived.notify_all()


@contextlib.contextmanager
def watched(projects: Projects, project: Project) -> Iterator[Watch]:
    """Yield a watch that follows the reports of a project during the block."""
    watch = Watch()
    with projects.changes(project) as changes:
        thread = threading.Thread(target=watch.read, args=(changes,), name="tare-compose", daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.stop(over=True)
    thread.join(_END_S)
