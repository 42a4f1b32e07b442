"""Switches of an instance in an OCI configuration, for engines that are given one: runc, crun, runsc, containerd."""

from __future__ import annotations

import stat
from typing import Any

from bench.core.errors import NotApplicable
from bench.engines.base import Engine, InstanceSpec
from bench.engines.hardening import MAPPED, MAPPED_COUNT, TMP, UNPRIVILEGED, Hardening, long_filter
from bench.lab import Lab

_PASSABLE = 0o711
_BY_DEFAULT = {
    "no_new_privileges": "lets no program gain privileges",
    "none": "has no filter of system calls",
    "no_apparmor": "names no profile of AppArmor",
    "no_selinux": "names no label of SELinux",
}
"""Switch, or value of the filter's → what Tare's own configuration is like without being asked."""


class Hardener:
    """The switches of an engine that is given an OCI configuration."""

    def __init__(self, engine: Engine, runtime: str, lab: Lab) -> None:
        self._engine = engine
        self._runtime = runtime
        self._lab = lab

    def refusal(self, wanted: Hardening) -> str:
        """Return why these switches change nothing, or cannot be set."""
        name = f"'{self._engine.target.text}'"
        if what := next((what for switch, what in _BY_DEFAULT.items() if switch in _switched(wanted)), ""):
            return f"the configuration that {name} is given {what} by default"
        if wanted.seccomp and self._runtime == "runsc":
            return f"{name} answers system calls itself: by default gVisor leaves out the filter of a configuration"
        if wanted.userns and self._runtime == "runsc":
            return f"{name} has users of gVisor's own kernel, which reports no mapping to others, so it could not be proved"
        return blocked(self._lab) if wanted.userns else ""

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine: every switch is an instance's own."""
        if why := self.refusal(wanted):
            raise NotApplicable(why)
        if wanted.userns:
            open_way(self._lab)
        return self._engine

    def check(self, spec: InstanceSpec) -> None:
        """Refuse an instance with a switch that changes nothing.

        Raises:
            NotApplicable: There is one.
        """
        if spec.hardening:
            self.engine(spec.hardening)

    def default_capabilities(self) -> int | None:
        """Return nothing: the configuration is Tare's."""
        return None


def _switched(wanted: Hardening) -> list[str]:
    return [*wanted.on, wanted.seccomp]


def open_way(lab: Lab) -> None:
    """Let other users of the host pass through the run's folder: root of a user namespace is one, and its files are below it."""
    lab.paths.run.chmod(_PASSABLE)


def blocked(lab: Lab) -> str:
    """Return why mapped users cannot reach the run's folder; empty when they can."""
    closed = [str(folder) for folder in lab.paths.run.parents if not folder.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return ""
    return (
        f"mapped users are other users of the host, who cannot pass through '{closed[-1]}': "
        "choose another state folder with TARE_STATE=DIR"
    )


def apply(config: dict[str, Any], wanted: Hardening) -> None:
    """Set the switches in an OCI configuration (opencontainers/runtime-spec, config.md and config-linux.md)."""
    process, linux = config["process"], config["linux"]
    if wanted.user:
        process["user"] = {"uid": UNPRIVILEGED, "gid": UNPRIVILEGED}
        process["capabilities"] |= {"effective": [], "permitted": []}  # as execve(2) does for a user who is not root
    if wanted.no_capabilities:
        process["capabilities"] = {name: [] for name in process["capabilities"]}
    if wanted.read_only:
        config["root"]["readonly"] = True
        options = ["nosuid", "nodev", "noexec"]
        config["mounts"].append({"destination": TMP, "type": "tmpfs", "source": "tmpfs", "options": options})
    if wanted.seccomp == "rules":
        linux["seccomp"] = long_filter()
    if wanted.userns:
        linux["namespaces"].append({"type": "user"})
        users = [{"containerID": 0, "hostID": MAPPED, "size": MAPPED_COUNT}]
        linux |= {"uidMappings": users, "gidMappings": users}
