"""Docker's log drivers: how a container is given one, and how what it stores is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.core import kernelfiles, proc
from bench.core.errors import NotApplicable
from bench.engines import journals, logformats
from bench.engines.abilities import LogFollower, StoredLog
from bench.engines.base import Delivery, Instance, InstanceSpec, LogDriver
from bench.engines.docker.api import LogConfig
from bench.engines.docker.session import Session
from bench.lab import collectors
from bench.workloads.lines import Record

_COLLECTORS = {"syslog": collectors.SYSLOG, "journald": collectors.JOURNAL}
"""Driver → the daemon of the lab that it sends to."""


@dataclass(frozen=True)
class Format:
    """How a driver stores: its files in the order of their lines, the reader of their records, and what the format is called."""

    files: Callable[[Mapping[str, Any]], list[Path]]
    read: Callable[[Iterable[Path]], Iterator[Record]]
    title: str


class Logs:
    """The logs of one target's containers."""

    drivers: tuple[str, ...] = ("json-file", "local", "none", "journald", "syslog")
    rotated: tuple[str, ...] = ("json-file", "local")
    """Drivers that limit what they store of a container."""
    unread: tuple[str, ...] = ("none",)
    """Drivers whose log nobody can read through the API."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def driver(self) -> LogDriver:
        """The driver that the target asks for, or the daemon's default."""
        options = self.session.target.options
        delivery: Delivery = "non-blocking" if options.get("delivery") == "non-blocking" else "blocking"
        return LogDriver(options.get("log") or self._default(), delivery)

    def provide(self, driver: LogDriver) -> None:
        """Start what a driver sends to, and refuse what it cannot do."""
        if driver.name not in self.drivers:
            self._refuse(f"has no log driver '{driver.name}'; it has {', '.join(self.drivers)}")
        if driver.name == "none" and driver.delivery != "blocking":
            self._refuse("takes no log with the driver 'none', so there is nothing to deliver")
        if (driver.file_bytes or driver.files) and driver.name not in self.rotated:
            self._refuse(f"has no limit of size for the log driver '{driver.name}'")
        self._start(driver.name)

    def chosen(self, spec: InstanceSpec) -> LogConfig | None:
        """Return the driver of a container that is to be created as the API takes it; ``None``: the daemon's default."""
        asked = {"log", "delivery"} & self.session.target.options.keys()
        driver = spec.log or (self.driver if asked else None)
        if driver is None:
            return None
        self.provide(driver)
        return LogConfig(driver.name, self._options(driver))

    def evidence(self, inspected: Mapping[str, Any]) -> dict[str, str]:
        """Return the driver that the daemon has recorded."""
        found = inspected["HostConfig"].get("LogConfig") or {}
        if not found.get("Type"):
            return {}
        return {"log": str(found["Type"]), "delivery": (found.get("Config") or {}).get("mode") or "blocking"}

    def inspect(self, name: str) -> Mapping[str, Any]:
        """Return what the daemon says of a container."""
        return self.session.inspect(name)

    def read(self, instance: Instance) -> Iterator[Record]:
        """Read the log through the API: each frame of its stream is a record."""
        self.refuse_unread(instance)
        with self.session.asked("logs"):
            client = self.session.client
            for frame in client.logs(instance.name, stdout=True, stderr=False, stream=True, follow=False):
                yield logformats.with_feed(frame)

    def stored(self, instance: Instance) -> StoredLog:
        """Find what the driver has stored."""
        inspected = self.inspect(instance.name)
        name = self.evidence(inspected).get("log", "")
        if name == "journald":
            return journals.stored(self.session.lab, self._field(instance))
        if name == "syslog":
            path = collectors.syslog_file(self.session.lab, instance.name)
            return _stored([path], logformats.tagged, "lines of rsyslogd")
        found = self.formats().get(name)
        if found is None:
            self._refuse(f"stores nothing with the log driver '{name}'")
        return _stored(found.files(inspected), found.read, found.title)

    def formats(self) -> Mapping[str, Format]:
        """Return the drivers that have files of their own."""
        return {
            "json-file": Format(json_files, logformats.json_file, "JSON lines"),
            "local": Format(local_files, logformats.local_file, "protobuf"),
        }

    def follow(self, instance: Instance) -> LogFollower:
        """Return ``docker logs --follow``."""
        self.refuse_unread(instance)
        program = proc.find("docker", "run 'tare provision docker' as root")
        return LogFollower((program, "--host", self.session.url, "logs", "--follow", instance.name), logformats.plain)

    def collectors(self, instance: Instance) -> Mapping[str, int]:
        """Return rsyslogd or journald where the driver sends to it."""
        name = _COLLECTORS.get(self._name(instance), "")
        running = self.session.lab.daemons.running
        return {name: running[name].pid} if name in running else {}

    def crash(self, instance: Instance) -> str:
        """End rsyslogd or journald by SIGKILL."""
        driver = self._name(instance)
        if driver not in _COLLECTORS:
            self._refuse(f"sends to no other daemon with the log driver '{driver}'")
        name = _COLLECTORS[driver]
        self.session.lab.daemons.crash(name)
        return name

    def facts(self) -> Mapping[str, str]:
        """Return what limits the log."""
        return collectors.journal_facts() if self.driver.name == "journald" else {}

    def _name(self, instance: Instance) -> str:
        return self.evidence(self.inspect(instance.name)).get("log", "")

    def refuse_unread(self, instance: Instance) -> None:
        """Refuse to read the log of a driver that has no reader."""
        if self._name(instance) in self.unread:
            self._refuse(f"has no reader for the log driver '{self._name(instance)}'")

    def _start(self, name: str) -> None:
        lab = self.session.lab
        if name == "syslog":
            collectors.syslog(lab)
        if name == "journald":
            if self.session.endpoint.pid is None:
                self._refuse("would write into the host's own journal, where nothing of a run may stay")
            collectors.journal(lab)

    def _options(self, driver: LogDriver) -> dict[str, str]:
        found: dict[str, str] = {"mode": driver.delivery} if driver.delivery != "blocking" else {}
        if driver.file_bytes:
            found["max-size"] = str(driver.file_bytes)
        if driver.files:
            found["max-file"] = str(driver.files)
        if driver.name == "syslog":
            found |= {"syslog-address": f"unixgram://{collectors.syslog(self.session.lab)}", "tag": "{{.Name}}"}
        return found

    def _field(self, instance: Instance) -> str:
        return f"CONTAINER_NAME={instance.name}"

    def _default(self) -> str:
        with self.session.asked("info"):
            return str(self.session.client.info()["LoggingDriver"])

    def _refuse(self, why: str) -> NoReturn:
        msg = f"'{self.session.target.text}' {why}"
        raise NotApplicable(msg)


def _stored(paths: list[Path], read: Callable[[Iterable[Path]], Iterator[Record]], title: str) -> StoredLog:
    there = [path for path in paths if path.exists()]
    return StoredLog(sum(path.stat().st_size for path in there), read(there), len(there), title)


def json_files(inspected: Mapping[str, Any]) -> list[Path]:
    """Return the files of ``json-file``, the oldest first: ``ID-json.log.2``, ``ID-json.log.1``, ``ID-json.log``."""
    return numbered(Path(inspected["LogPath"]))


def local_files(inspected: Mapping[str, Any]) -> list[Path]:
    """Return the files of ``local``, the oldest first; the rotated ones are compressed."""
    root = Path(inspected["HostnamePath"]).parent
    return numbered(root / "local-logs/container.log")


def numbered(current: Path) -> list[Path]:
    """Return a log's rotated files, which have higher numbers the older they are, and its current one."""
    found = {}
    for name in kernelfiles.names(current.parent):
        number = name.removeprefix(f"{current.name}.").removesuffix(".gz")
        if name != current.name and number.isdecimal():
            found[int(number)] = current.with_name(name)
    return [found[number] for number in sorted(found, reverse=True)] + [current]
