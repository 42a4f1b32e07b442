"""Switches of an instance in an OCI configuration, for engines that are given one: runc, crun, runsc, containerd."""

from __future__ import annotations

from typing import Any

from bench.core.errors import NotApplicable
from bench.engines import rootless
from bench.engines.base import Engine, InstanceSpec
from bench.engines.hardening import MAPPED, MAPPED_COUNT, TMP, UNPRIVILEGED, Hardening, long_filter
from bench.engines.rootless import OrdinaryUser
from bench.engines.users import blocked, open_way
from bench.lab import Lab

_BY_DEFAULT = {
    "no_new_privileges": "lets no program gain privileges",
    "none": "has no filter of system calls",
    "no_apparmor": "names no profile of AppArmor",
    "no_selinux": "names no label of SELinux",
}
"""Switch, or value of the filter's → what Tare's own configuration is like without being asked."""


class Hardener:
    """The switches of an engine that is given an OCI configuration.

    ``ordinary`` runs the engine as an ordinary user; ``None`` where only root can run it.
    """

    def __init__(self, engine: Engine, runtime: str, lab: Lab, ordinary: OrdinaryUser | None = None) -> None:
        self._engine = engine
        self._runtime = runtime
        self._lab = lab
        self._ordinary = ordinary

    def refusal(self, wanted: Hardening) -> str:
        """Return why these switches change nothing, or cannot be set."""
        name = f"'{self._engine.target.text}'"
        if what := next((what for switch, what in _BY_DEFAULT.items() if switch in _switched(wanted)), ""):
            return f"the configuration that {name} is given {what} by default"
        if wanted.seccomp and self._runtime == "runsc":
            return f"{name} answers system calls itself: by default gVisor leaves out the filter of a configuration"
        if wanted.userns and self._runtime == "runsc":
            return f"{name} has users of gVisor's own kernel, which reports no mapping to others, so it could not be proved"
        if wanted.rootless:
            return self._only_root(wanted)
        return blocked(self._lab) if wanted.userns else ""

    def _only_root(self, wanted: Hardening) -> str:
        """Return why an ordinary user cannot run the engine, or not with the other switches."""
        if wanted.userns:
            return "an ordinary user's containers have mapped users already"
        if self._ordinary is None:
            return (
                f"'{self._engine.target.text}' has a daemon that runs as root: without root it needs rootlesskit, "
                "which Tare does not set up"
            )
        return self._ordinary.refusal()

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine: every switch is an instance's own, but who runs it."""
        if why := self.refusal(wanted):
            raise NotApplicable(why)
        if wanted.rootless and self._ordinary:
            return self._ordinary.engine()
        if wanted.userns:
            open_way(self._lab)
        return self._engine

    def check(self, spec: InstanceSpec) -> None:
        """Refuse an instance with a switch that changes nothing.

        Raises:
            NotApplicable: There is one.
        """
        wanted = spec.hardening
        if wanted and (why := self.refusal(wanted)):
            raise NotApplicable(why)
        if wanted and wanted.userns:
            open_way(self._lab)

    def default_capabilities(self) -> int | None:
        """Return nothing: the configuration is Tare's."""
        return None


def _switched(wanted: Hardening) -> list[str]:
    return [*wanted.on, wanted.seccomp]


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


def unprivileged(config: dict[str, Any], *, mapped: bool) -> None:
    """Change an OCI configuration to one that an ordinary user can have made: no control group, and with it no limits.

    ``mapped`` adds the user namespace; gVisor makes one of its own.
    """
    linux = config["linux"]
    for name in ("cgroupsPath", "resources"):
        linux.pop(name, None)
    if mapped:
        linux["namespaces"].append({"type": "user"})
        linux |= {"uidMappings": list(rootless.MAPPINGS), "gidMappings": list(rootless.MAPPINGS)}
