"""The lab's Podman services: one for each storage driver, OCI runtime and user of the host."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.engines import rootless
from bench.engines.docker import config
from bench.engines.docker.daemon import answers_ping
from bench.lab import Lab, collectors

_HOME = Path("/var/lib/containers")
"""Where Podman records known blobs, whatever its configuration says. The user's own containers are there, too."""
_DISTRIBUTION = (Path("/usr/share/containers/containers.conf"), Path("/etc/containers/containers.conf"))
"""The host's own configuration, the later file overriding the earlier (containers.conf(5))."""
_NO_TIMERS = {"DISABLE_HC_SYSTEMD": "true"}
"""Health checks make no timers of systemd, which would be the host's, outside the lab."""
REMEDY = "run 'tare provision podman' as root"
ROOTLESS = "rootless"
"""Role of the service that an ordinary user runs."""
_PASTA_SINCE = 5
"""First release whose default for ordinary users is pasta (podman-run(1), ``--network``)."""


def podman_name(storage: str, runtime: str, events: str = "none", role: str = "") -> str:
    """Return the name of a Podman service among the lab's daemons."""
    return "-".join(filter(None, ("podman", storage, runtime, events if events != "none" else "", role)))


def capabilities(files: Sequence[Path] = _DISTRIBUTION) -> list[str]:
    """Return the capabilities that the host's configuration of Podman gives a container by default; empty if it says nothing.

    The lab's service has a configuration of its own, which replaces the host's; this much of the host's it keeps.
    """
    found: list[str] = []
    for path in files:
        with contextlib.suppress(OSError, tomllib.TOMLDecodeError):
            told = tomllib.loads(path.read_text(encoding="utf-8")).get("containers", {}).get("default_capabilities")
            found = [str(name) for name in told] if isinstance(told, list) and told else found
    return found


@functools.cache
def user_network() -> str:
    """Return the network that Podman gives an ordinary user's container: pasta from Podman 5 on, slirp4netns before.

    Of a host that has only the other one, that; empty where there is none.
    """
    known = ["slirp4netns", "pasta"]
    here = [name for name in known if shutil.which(name, path=proc.environment()["PATH"])]
    return max(here, key=lambda name: (name == "pasta") == (_release() >= _PASTA_SINCE)) if here else ""


@functools.cache
def _release() -> int:
    """Return the first number of Podman's version; 0 where it is unknown."""
    program = shutil.which("podman", path=proc.environment()["PATH"])
    said = proc.run([program, "--version"], timeout_s=10).stdout if program else ""
    return int(found[1]) if (found := re.search(r"(\d+)\.", said)) else 0


def start_podman(lab: Lab, storage: str, runtime: str, events: str = "none", role: str = "") -> Path:
    """Start the Podman service with a storage driver and an OCI runtime, unless it runs, and return its socket.

    ``events`` is where it logs events: it reads logs from the journal only if its events go there, too. ``role`` distinguishes
    services that are the same otherwise; an ordinary user runs the one of role :data:`ROOTLESS`.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start.
    """
    daemons = lab.daemons
    name = podman_name(storage, runtime, events, role)
    home = daemons.home(name)
    sock = home / "p.sock"
    if name not in daemons.running:
        program = proc.find("podman", REMEDY)
        proc.find("conmon", REMEDY)
        runtime_program = proc.find(runtime, "run 'tare provision oci_runtimes' as root")
        daemons.namespace.hide(_HOME)
        if events == "journald":
            collectors.journal(lab)
        containers, storage_file = home / "containers.conf", home / "storage.conf"
        containers.write_text(
            config.podman_containers(home, runtime, runtime_program, events, capabilities(), grouped=role != ROOTLESS),
            encoding="utf-8",
        )
        storage_file.write_text(config.podman_storage(home, storage, name), encoding="utf-8")
        (home / "tmp").mkdir(exist_ok=True)  # build contexts go there, and would stay after a SIGKILL
        argv = [program, "--log-level=warn", "system", "service", "--time=0", f"unix://{sock}"]
        env = environment(home)
        if role == ROOTLESS:
            argv, env = [*rootless.prefix(), *argv], env | _given_to_user(lab, home, name)
        daemons.start(name, argv, lambda: answers_ping(sock), env=env)
        if role == ROOTLESS:
            daemons.companions |= _companions(lab, daemons.running[name].pid)
    return sock


def _companions(lab: Lab, service: int) -> set[int]:
    """Return what a rootless service has beside its first process: itself in the user namespace, and what holds that."""
    users = kernelfiles.users(service)
    return {pid for pid in lab.daemons.cgroup.daemons() if kernelfiles.users(pid) == users} - {service}


def _given_to_user(lab: Lab, home: Path, name: str) -> dict[str, str]:
    """Give a service's folders to the ordinary user, and return the variables that name them.

    Without a session of systemd nobody has made the folder for what does not outlive it (XDG Base Directory Specification).
    """
    session = Path("/run") / name
    session.mkdir(mode=0o700, exist_ok=True)
    rootless.own(home, session)
    rootless.open_tun(lab)
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(session)}


def environment(home: Path) -> dict[str, str]:
    """Return the environment in which podman has the configuration, images and containers of the service with this folder."""
    files = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf", "TMPDIR": "tmp"}
    return {key: str(home / name) for key, name in files.items()} | _NO_TIMERS
