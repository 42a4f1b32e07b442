"""How Docker and Podman make containers safer: switches of a container, and a daemon of its own that maps users."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bench.core import kernelfiles
from bench.core.errors import NotApplicable
from bench.core.model import Target
from bench.engines import rootless
from bench.engines.base import Engine, InstanceSpec
from bench.engines.docker import hardening_config, podman_service
from bench.engines.docker.api import ContainerConfig
from bench.engines.docker.config import REMAPPED
from bench.engines.docker.endpoints import LabDaemon
from bench.engines.docker.session import Session
from bench.engines.hardening import MAPPED_COUNT, Hardening
from bench.engines.rootless import OrdinaryUser
from bench.engines.users import allot_users, blocked
from bench.lab import Lab

_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_SELINUX = Path("/sys/fs/selinux/enforce")
_CAPABILITIES = 14
"""What Docker's documentation says of a container's default ("Runtime privilege and Linux capabilities")."""


class RemappedDockerd(LabDaemon):
    """A Docker daemon of the lab whose containers' users are others of the host."""

    def __init__(self, target: Target, lab: Lab) -> None:
        super().__init__(target, lab)
        if self.network.role:
            msg = f"'{target.text}' needs a daemon of its own for its network, which does not map users"
            raise NotApplicable(msg)
        self.network.role = REMAPPED

    def url(self) -> str:
        """Start the daemon and return its URL."""
        allot_users(self._lab)
        return super().url()


class Hardener:
    """The switches of Docker: a container's own, but the mapping of users, which is the daemon's."""

    def __init__(self, session: Session, engine: Engine, remapped: Callable[[], Engine]) -> None:
        self._session = session
        self._engine = engine
        self._remapped = remapped
        self._mapping: Engine | None = None

    def refusal(self, wanted: Hardening) -> str:
        """Return why these switches cannot be set, or change nothing."""
        name = f"'{self._session.target.text}'"
        if self._session.target.options.get("client") == "cli":
            return f"{name} sets no switches: Tare sets them through the API"
        if wanted.userns and self._session.target.options.get("endpoint", "lab") != "lab":
            return f"{name} is not the lab's daemon, and users are mapped for a whole daemon"
        if wanted.seccomp and self._session.endpoint.runtime == "runsc":
            return f"{name} runs gVisor, which answers system calls itself and leaves out a container's filter"
        if wanted.userns and self._session.endpoint.runtime == "runsc":
            return f"{name} has users of gVisor's own kernel, which reports no mapping to others, so it could not be proved"
        if why := self._nothing_to_leave_out(wanted) or self._only_root(wanted):
            return why
        return blocked(self._session.lab) if wanted.userns else ""

    def _only_root(self, wanted: Hardening) -> str:
        """Return why an ordinary user cannot run the engine; empty where none is asked for."""
        if not wanted.rootless:
            return ""
        return (
            f"'{self._session.target.text}' has a daemon that runs as root: without root it needs rootlesskit and "
            "dockerd-rootless.sh, which Tare does not set up"
        )

    def _nothing_to_leave_out(self, wanted: Hardening) -> str:
        """Return why a container has no profile of AppArmor, or no label of SELinux, that a switch leaves out."""
        if wanted.no_apparmor and not kernelfiles.text(_APPARMOR).startswith("Y"):
            return "this kernel runs without AppArmor, so there is no profile to leave out"
        return self._unlabelled() if wanted.no_selinux else ""

    def _unlabelled(self) -> str:
        """Return why a container has no label of SELinux by default; empty where it has one."""
        if not _SELINUX.exists():
            return "this kernel runs without SELinux, so there is no label to leave out"
        if self._session.target.options.get("endpoint", "lab") == "lab":
            return f"the lab's daemon of '{self._session.target.text}' sets no labels of SELinux"
        return ""

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine, or the one over a daemon that maps users."""
        if why := self.refusal(wanted):
            raise NotApplicable(why)
        if not wanted.userns:
            return self._engine
        if self._mapping is None:
            made = self._remapped()
            made.prepare()
            self._mapping = made
        return self._mapping

    def default_capabilities(self) -> int | None:
        """Return how many capabilities a container has by default, as documented."""
        return _CAPABILITIES

    def config(self, spec: InstanceSpec, config: ContainerConfig) -> ContainerConfig:
        """Return how a container is made, with the switches of its spec."""
        wanted = spec.hardening
        if wanted is None or not wanted.on:
            return config
        if why := self.refusal(wanted):
            raise NotApplicable(why)
        options = hardening_config.security(wanted, self._rules())
        return dataclasses.replace(config, security=tuple(options), userns=self._userns(wanted))

    def _rules(self) -> str:
        return hardening_config.profile()

    def _userns(self, wanted: Hardening) -> str:
        return ""


_ORDINARY_NETWORKS = ("", "none", "host")
"""Values of the option ``network`` that an ordinary user has, too; without it a user-mode network replaces the bridge."""


class PodmanHardener(Hardener):
    """The switches of Podman, all of which are a container's own, but who runs it."""

    def __init__(self, session: Session, engine: Engine, ordinary: OrdinaryUser) -> None:
        super().__init__(session, engine, lambda: engine)
        self._ordinary = ordinary

    def _only_root(self, wanted: Hardening) -> str:
        """Return why an ordinary user cannot run Podman with this target's options, or not with the other switches."""
        if not wanted.rootless:
            return ""
        options = self._session.target.options
        if wanted.userns:
            return "an ordinary user's containers have mapped users already"
        if options.get("network", "") not in _ORDINARY_NETWORKS or "log" in options:
            return f"'{self._session.target.text}' has a network or a log that root sets up: leave the option out"
        if "network" not in options and not podman_service.user_network():
            return f"an ordinary user's network needs slirp4netns or pasta, which this host has not: {podman_service.REMEDY}"
        return self._ordinary.refusal() or ("" if "network" in options else rootless.without_tun())

    def default_capabilities(self) -> int | None:
        """Return how many capabilities the host's configuration of Podman gives a container by default."""
        return len(podman_service.capabilities()) or None

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine; there are users to map to."""
        if why := self.refusal(wanted):
            raise NotApplicable(why)
        if wanted.rootless:
            return self._ordinary.engine()
        if wanted.userns:
            allot_users(self._session.lab)
        return self._engine

    def _unlabelled(self) -> str:
        """Return why a container has no label of SELinux by default; Podman sets one wherever the kernel runs SELinux."""
        return "" if _SELINUX.exists() else super()._unlabelled()

    def _rules(self) -> str:
        """Return the path of a file with the long filter, which the service reads itself."""
        path = self._session.lab.paths.run / "rules.json"
        if not path.exists():
            path.write_text(hardening_config.profile(), encoding="utf-8")
        return str(path)

    def _userns(self, wanted: Hardening) -> str:
        return f"auto:size={MAPPED_COUNT}" if wanted.userns else ""
