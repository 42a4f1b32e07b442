"""The configuration of the lab's dockerd and of its Podman service: pure text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.core.quoting import toml
from bench.engines.builds import DEFAULT, Build
from bench.engines.docker import settings
from bench.engines.hardening import UNPRIVILEGED
from bench.engines.oci import gvisor

REMAPPED = "remapped"
"""Role of the daemon that maps its containers' users to others of the host."""
PROXY_BRIDGE = "tare-px"
"""Bridge of the daemon without iptables: on docker0 it would disturb the others."""


def dockerd(home: Path, storage: str, sock: Path, containerd_sock: Path, cgroup_parent: str, *, pool: str = "",
            role: str = "", build: Build = DEFAULT) -> str:  # fmt: skip
    """Return the configuration of dockerd (``daemon.json``).

    Args:
        home: The daemon's folder.
        storage: Its storage driver.
        sock: Its socket.
        containerd_sock: The socket of its containerd.
        cgroup_parent: The control group of its containers.
        pool: The thin pool of the devicemapper driver, which otherwise makes one in files of its own that nobody could remove
            after a SIGKILL.
        role: Distinguishes daemons with the same storage driver; ``proxied`` uses no iptables and a bridge of its own,
            :data:`REMAPPED` maps users.
        build: Its settings override the lab's.

    Raises:
        UsageError: The build's settings have a key that is set here.
    """
    mapper = (f"thinpooldev=/dev/mapper/{pool}", "fs=ext4", "basesize=4G", "override_udev_sync_check=true")
    spaces = (
        f"tare-{storage}{role and '-' + role}{build.mark}"  # daemons on one containerd must not see each other's tasks
    )
    # Newer releases look for these in system folders before they look on PATH.
    helpers = {"userland-proxy-path": build.beside("docker-proxy"), "init-path": build.beside("docker-init")}
    ours = {
        "hosts": [f"unix://{sock}"],
        "containerd": str(containerd_sock),
        "containerd-namespace": spaces,
        "containerd-plugins-namespace": f"{spaces}-plugins",
        "data-root": str(home / "root"),
        "exec-root": str(home / "exec"),
        "pidfile": str(home / "pid"),
        "storage-driver": storage,
        **({"iptables": False, "bridge": PROXY_BRIDGE} if role == "proxied" else {}),
        **({"userns-remap": f"{UNPRIVILEGED}:{UNPRIVILEGED}"} if role == REMAPPED else {}),
        **({"storage-opts": [f"dm.{option}" for option in mapper]} if pool else {}),
        **{key: path for key, path in helpers.items() if path},
        "cgroup-parent": cgroup_parent,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "runtimes": {"crun": {"path": "crun"}}
        | {f"runsc-{mode}": {"path": "runsc", "runtimeArgs": gvisor.options(mode)} for mode in gvisor.NETWORKS},
    }
    settings.refuse(build.config, build.settings, ours)
    return json.dumps({**ours, "log-level": "warn", **build.settings})


def podman_containers(
    home: Path,
    runtime: str,
    program: str,
    events: str = "none",
    capabilities: Sequence[str] = (),
    *,
    grouped: bool = True,
) -> str:
    """Return Podman's configuration (containers.conf(5)): everything that it writes goes below ``home``.

    Locks are files, not in the host's shared memory. ``capabilities`` are those of a container by default; if empty, its own.
    ``grouped`` gives each container a control group; without a session of systemd an ordinary user may make none.
    """
    default = f"default_capabilities = {json.dumps(list(capabilities))}\n" if capabilities else ""
    default += "" if grouped else 'cgroups = "disabled"\npids_limit = 0\n'
    return (
        f'[containers]\nlog_driver = "k8s-file"\n{default}'
        f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "{events}"\nruntime = "{runtime}"\n'
        f'tmp_dir = {toml(home / "libpod")}\nvolume_path = {toml(home / "volumes")}\nlock_type = "file"\n'
        f"[engine.runtimes]\n{runtime} = [{toml(program)}]\n"
        f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = {toml(home / "networks")}\n'
    )


def podman_storage(home: Path, driver: str, name: str) -> str:
    """Return the configuration of Podman's storage (containers-storage.conf(5)) for the service of that name.

    What does not outlive the service is below the lab's own ``/run``: the process that conmon starts at a container's end, which
    cleans up after it and restarts it, refuses a path of more than 50 characters. The overlay driver does not mount its folder on
    itself: whether that process would leave the mount depends on what else runs.
    """
    return (
        f'[storage]\ndriver = "{driver}"\ngraphroot = {toml(home / "root")}\nrunroot = {toml(Path("/run") / name)}\n'
        f"rootless_storage_path = {toml(home / 'root')}\n"
        f'[storage.options.overlay]\nskip_mount_home = "true"\n'
    )
