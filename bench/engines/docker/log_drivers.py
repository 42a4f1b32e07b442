"""Docker's log drivers: which there are, how a container is given one, and where those with files of their own store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from bench.core import kernelfiles, proc
from bench.core.errors import NotApplicable
from bench.engines import logformats
from bench.engines.abilities import StoredLog
from bench.engines.base import Delivery, InstanceSpec, LogDriver
from bench.engines.docker.api import LogConfig
from bench.engines.docker.session import Session
from bench.lab import collectors
from bench.workloads.lines import Record


class Drivers:
    """The log drivers of one target's daemon.

    Attributes:
        names: What they are called.
        limited: Those that limit what they store of a container.
        unread: Those whose log nobody can read through the API.
    """

    names: tuple[str, ...] = ("json-file", "local", "none", "journald", "syslog")
    limited: tuple[str, ...] = ("json-file", "local")
    unread: tuple[str, ...] = ("none",)

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def asked(self) -> LogDriver:
        """The driver that the target asks for, or the daemon's default."""
        options = self._session.target.options
        delivery: Delivery = "non-blocking" if options.get("delivery") == "non-blocking" else "blocking"
        return LogDriver(options.get("log") or self._default(), delivery)

    def provide(self, driver: LogDriver) -> None:
        """Start what a driver sends to, and refuse what it cannot do."""
        if driver.name not in self.names:
            self.refuse(f"has no log driver '{driver.name}'; it has {', '.join(self.names)}")
        if driver.name == "none" and driver.delivery != "blocking":
            self.refuse("takes no log with the driver 'none', so there is nothing to deliver")
        if (driver.file_bytes or driver.files) and driver.name not in self.limited:
            self.refuse(f"has no limit of size for the log driver '{driver.name}'")
        if driver.name == "syslog":
            collectors.syslog(self._session.lab)
        if driver.name == "journald":
            if self._session.endpoint.pid is None:
                self.refuse("would write into the host's own journal, where nothing of a run may stay")
            collectors.journal(self._session.lab)

    def chosen(self, spec: InstanceSpec) -> LogConfig | None:
        """Return the driver of a container that is to be created as the API takes it; ``None``: the daemon's default."""
        asked = {"log", "delivery"} & self._session.target.options.keys()
        driver = spec.log or (self.asked if asked else None)
        if driver is None:
            return None
        self.provide(driver)
        return LogConfig(driver.name, self._options(driver))

    def evidence(self, name: str) -> dict[str, str]:
        """Return the driver that the daemon has recorded for a container."""
        found = self.inspect(name)["HostConfig"].get("LogConfig") or {}
        if not found.get("Type"):
            return {}
        return {"log": str(found["Type"]), "delivery": (found.get("Config") or {}).get("mode") or "blocking"}

    def inspect(self, name: str) -> Mapping[str, Any]:
        """Return what the daemon says of a container."""
        return self._session.inspect(name)

    def stored(self, name: str, driver: str) -> StoredLog | None:
        """Find the files of a driver that has files of its own."""
        if driver == "json-file":
            return of_files(numbered(Path(self.inspect(name)["LogPath"])), logformats.json_file, "JSON lines")
        if driver == "local":
            root = Path(self.inspect(name)["HostnamePath"]).parent
            return of_files(numbered(root / "local-logs/container.log"), logformats.local_file, "protobuf")
        return None

    def follow(self, name: str) -> tuple[str, ...]:
        """Return the command line of ``docker logs --follow``."""
        program = proc.find("docker", "run 'tare provision docker' as root")
        return (program, "--host", self._session.url, "logs", "--follow", name)

    def refuse(self, why: str) -> NoReturn:
        """Refuse what this target cannot do."""
        msg = f"'{self._session.target.text}' {why}"
        raise NotApplicable(msg)

    def _options(self, driver: LogDriver) -> dict[str, str]:
        found: dict[str, str] = {"mode": driver.delivery} if driver.delivery != "blocking" else {}
        if driver.file_bytes:
            found["max-size"] = str(driver.file_bytes)
        if driver.files:
            found["max-file"] = str(driver.files)
        if driver.name == "syslog":
            found |= {"syslog-address": f"unixgram://{collectors.syslog(self._session.lab)}", "tag": "{{.Name}}"}
        return found

    def _default(self) -> str:
        with self._session.asked("info"):
            return str(self._session.client.info()["LoggingDriver"])


def of_files(paths: list[Path], read: Callable[[Iterable[Path]], Iterator[Record]], title: str) -> StoredLog:
    """Return the log in those files that exist; one that is renamed at this moment, by a rotation, is left out."""
    sizes: dict[Path, int] = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            sizes[path] = path.stat().st_size
    return StoredLog(sum(sizes.values()), read(list(sizes)), len(sizes), title)


def numbered(current: Path) -> list[Path]:
    """Return a log's rotated files, which have higher numbers the older they are, and its current one."""
    found = {}
    for name in kernelfiles.names(current.parent):
        number = name.removeprefix(f"{current.name}.").removesuffix(".gz")
        if name != current.name and number.isdecimal():
            found[int(number)] = current.with_name(name)
    return [found[number] for number in sorted(found, reverse=True)] + [current]
