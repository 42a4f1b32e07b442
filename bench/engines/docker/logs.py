"""The logs of Docker's and Podman's containers: read through the API, followed, and found where they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.engines import journals, logformats
from bench.engines.abilities import LogFollower, StoredLog
from bench.engines.base import Instance, LogDriver
from bench.engines.docker.log_drivers import Drivers, of_files
from bench.engines.docker.session import Session
from bench.lab import collectors
from bench.workloads.lines import Record

_COLLECTORS = {"syslog": collectors.SYSLOG, "journald": collectors.JOURNAL}
"""Driver → the daemon of the lab that it sends to."""


class Logs:
    """The logs of one target's containers.

    Attributes:
        drivers: The daemon's log drivers.
    """

    def __init__(self, session: Session, drivers: Drivers) -> None:
        self._session = session
        self.drivers = drivers
        self.provide = drivers.provide

    @property
    def driver(self) -> LogDriver:
        """The driver that the target asks for, or the daemon's default."""
        return self.drivers.asked

    def read(self, instance: Instance) -> Iterator[Record]:
        """Read the log through the API: each frame of its stream is a record."""
        self._refuse_unread(instance)
        with self._session.asked("logs"):
            client = self._session.client
            for frame in client.logs(instance.name, stdout=True, stderr=False, stream=True, follow=False):
                yield logformats.with_feed(frame)

    def stored(self, instance: Instance) -> StoredLog:
        """Find what the driver has stored."""
        lab, driver = self._session.lab, self._name(instance)
        if driver == "journald":
            return journals.stored(lab, f"CONTAINER_NAME={instance.name}")
        if driver == "syslog":
            return of_files([collectors.syslog_file(lab, instance.name)], logformats.tagged, "lines of rsyslogd")
        found = self.drivers.stored(instance.name, driver)
        if found is None:
            self.drivers.refuse(f"stores nothing with the log driver '{driver}'")
        return found

    def follow(self, instance: Instance) -> LogFollower:
        """Return the command line that follows the log."""
        self._refuse_unread(instance)
        return LogFollower(self.drivers.follow(instance.name), logformats.plain)

    def collectors(self, instance: Instance) -> Mapping[str, int]:
        """Return rsyslogd or journald where the driver sends to it."""
        name = _COLLECTORS.get(self._name(instance), "")
        running = self._session.lab.daemons.running
        return {name: running[name].pid} if name in running else {}

    def crash(self, instance: Instance) -> str:
        """End rsyslogd or journald by SIGKILL."""
        driver = self._name(instance)
        if driver not in _COLLECTORS:
            self.drivers.refuse(f"sends to no other daemon with the log driver '{driver}'")
        self._session.lab.daemons.crash(_COLLECTORS[driver])
        return _COLLECTORS[driver]

    def facts(self) -> Mapping[str, str]:
        """Return what limits the log."""
        return collectors.journal_facts() if self.driver.name == "journald" else {}

    def _name(self, instance: Instance) -> str:
        return self.drivers.evidence(instance.name).get("log", "")

    def _refuse_unread(self, instance: Instance) -> None:
        if (driver := self._name(instance)) in self.drivers.unread:
            self.drivers.refuse(f"has no reader for the log driver '{driver}'")
