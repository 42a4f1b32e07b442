"""Podman's log drivers: conmon takes the log of a container, and Podman reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.engines import logformats
from bench.engines.base import Instance
from bench.engines.docker.logs import Format, Logs, numbered


class PodmanLogs(Logs):
    """The logs of one target's containers. conmon writes, and it always waits."""

    drivers = ("k8s-file", "journald", "none", "passthrough")
    rotated = ("k8s-file",)
    unread = ("none", "passthrough")

    def formats(self) -> Mapping[str, Format]:
        """Return the drivers that have files of their own."""
        return {"k8s-file": Format(_files, logformats.kubernetes, "CRI lines")}

    def follow(self, instance: Instance) -> list[str]:
        """Return the command line of ``podman logs --follow``, which asks the lab's service."""
        self.refuse_unread(instance)
        program = proc.find("podman", "run 'tare provision podman' as root")
        return [program, "--remote", "--url", self.session.url, "logs", "--follow", instance.name]

    def _default(self) -> str:
        return self.drivers[0]  # the lab's own containers.conf says so


def _files(inspected: Mapping[str, Any]) -> list[Path]:
    config = inspected["HostConfig"].get("LogConfig") or {}
    return numbered(Path(config.get("Path") or inspected["LogPath"]))
