"""The configuration files of the lab's daemons: pure text, so that it can be read and tested without a daemon."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bench.lab.variants import Variant, refuse

_USUAL = Variant()
_GVISOR_NETWORKS = {"none": "none", "bridge": "sandbox", "host": "host"}
"""Network mode of the engine above → what gVisor is to do for the network: nothing, its own stack, or the host's."""
POD_SUBNETS = {"bridge": "10.89.0.0/16", "ptp": "10.88.0.0/16"}
"""Kind of pod network → its addresses, where they are not the cable's."""
CABLE = {"master": "tare-out", "subnet": "10.90.0.0/24", "first": "10.90.0.160", "last": "10.90.0.191"}
"""The cable to the second host (``network``, which imports this package) and the addresses there that are for pods."""
POD_NETWORKS = (*POD_SUBNETS, "macvlan")
"""The first one is that of every runtime handler that names none."""
_CRI = 'plugins."io.containerd.grpc.v1.cri"'


def containerd(home: Path, sock: Path, pool: str = "") -> str:
    """Return the configuration of containerd without its CRI plugin (containerd-config.toml(5), version 2).

    ``pool`` is the thin pool of its devmapper snapshotter, which is left out without one; a base image holds 4 GiB.
    """
    mapper = (
        f'[plugins."io.containerd.snapshotter.v1.devmapper"]\nroot_path = "{home}/devmapper"\npool_name = "{pool}"\n'
        f'base_image_size = "4GB"\nfs_type = "ext4"\n'
    )
    return (
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
        f'[grpc]\naddress = "{sock}"\n[ttrpc]\naddress = "{sock}.ttrpc"\n{mapper if pool else ""}'
    )


def containerd_cri(home: Path, sock: Path, image: str, plugins: Path | None, runtimes: Mapping[str, str]) -> str:
    """Return the configuration of containerd with its CRI plugin (containerd's docs/cri/config.md).

    ``image`` is the pods' own, ``plugins`` the folder of network plugins, ``runtimes`` OCI runtime → program. There is a runtime
    handler for each of them with each network: a handler has a folder of networks of its own.
    ``restrict_oom_score_adj``: a host may not allow a lower score to root either (no CAP_SYS_RESOURCE).
    """
    handlers = "".join(
        f'[{_CRI}.containerd.runtimes.{handler(name, kind)}]\nruntime_type = "io.containerd.runc.v2"\n'
        f'cni_conf_dir = "{home}/net.d/{kind}"\n'
        f'[{_CRI}.containerd.runtimes.{handler(name, kind)}.options]\nBinaryName = "{program}"\n'
        for name, program in runtimes.items()
        for kind in POD_NETWORKS
    )
    return (
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        f'disabled_plugins = ["io.containerd.internal.v1.opt"]\n'
        f'[grpc]\naddress = "{sock}"\n[ttrpc]\naddress = "{sock}.ttrpc"\n'
        f'[{_CRI}]\nsandbox_image = "{image}"\nrestrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true\n'
        f'stream_server_address = "127.0.0.1"\n'
        f'[{_CRI}.cni]\nbin_dir = "{plugins or home / "no-plugins"}"\nconf_dir = "{home}/net.d/{POD_NETWORKS[0]}"\n'
        f'[{_CRI}.containerd]\nsnapshotter = "overlayfs"\ndefault_runtime_name = "runc"\n{handlers}'
    )


def handler(runtime: str, network: str) -> str:
    """Return the name of the runtime handler for that OCI runtime and that network."""
    return runtime if network == POD_NETWORKS[0] else f"{runtime}-{network}"


def pod_network(home: Path, kind: str) -> str:
    """Return a network of pods for CNI: each kind has addresses of its own.

    ``bridge`` is as containerd's installation guide sets it up; ``ptp`` the same without the bridge: each pod's own cable ends at
    the host, which routes. Both leave with the host's address. ``macvlan`` puts the pods themselves onto the cable.
    """
    addresses: dict[str, object] = {"type": "host-local", "dataDir": str(home / "addresses")}
    plugin: dict[str, object] = {"type": kind, "ipam": addresses}
    if kind == "macvlan":
        addresses["ranges"] = [[{"subnet": CABLE["subnet"], "rangeStart": CABLE["first"], "rangeEnd": CABLE["last"]}]]
        return _network(kind, {**plugin, "master": CABLE["master"], "mode": "bridge"})
    addresses |= {"ranges": [[{"subnet": POD_SUBNETS[kind]}]], "routes": [{"dst": "0.0.0.0/0"}]}
    plugin["ipMasq"] = True
    if kind == "bridge":
        plugin |= {"bridge": "tare-pods", "isGateway": True, "promiscMode": True}
    return _network(kind, plugin, {"type": "portmap", "capabilities": {"portMappings": True}})


def _network(kind: str, *plugins: Mapping[str, object]) -> str:
    return json.dumps({"cniVersion": "0.4.0", "name": f"tare-{kind}", "plugins": plugins}, indent=1)


PROXY_BRIDGE = "tare-px"
"""Bridge of the daemon without iptables: on docker0 it would be in the way of the others."""


def docker(home: Path, storage: str, sock: Path, containerd_sock: Path, cgroup_parent: str, *, pool: str = "",
           role: str = "", variant: Variant = _USUAL) -> str:  # fmt: skip
    """Return the configuration of dockerd (``daemon.json``); ``pool`` is the thin pool of its devicemapper driver.

    ``role`` tells several daemons of one storage driver apart: ``proxied`` leaves iptables alone and has a bridge of its own.
    Without a pool that driver would make one in files of its own, which nobody could remove after a SIGKILL. A variant's settings
    come on top.

    Raises:
        UsageError: The variant's settings have one that is set here.
    """
    mapper = (f"thinpooldev=/dev/mapper/{pool}", "fs=ext4", "basesize=4G", "override_udev_sync_check=true")
    spaces = f"tare-{storage}{role and '-' + role}{variant.mark}"  # daemons on one containerd must not see each other's tasks
    # Newer releases look for these in folders of the system's before they look on PATH.
    helpers = {"userland-proxy-path": variant.beside("docker-proxy"), "init-path": variant.beside("docker-init")}
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
        **({"storage-opts": [f"dm.{option}" for option in mapper]} if pool else {}),
        **{key: path for key, path in helpers.items() if path},
        "cgroup-parent": cgroup_parent,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "runtimes": {"crun": {"path": "crun"}}
        | {f"runsc-{mode}": {"path": "runsc", "runtimeArgs": gvisor_options(mode)} for mode in _GVISOR_NETWORKS},
    }
    refuse(variant.config, variant.settings, ours)
    return json.dumps({**ours, "log-level": "warn", **variant.settings})


def gvisor_options(network: str) -> list[str]:
    """Return gVisor's options below another engine: the payload may reach its event socket on the host's files."""
    return [f"--network={_GVISOR_NETWORKS[network]}", "--fsgofer-host-uds"]


def gvisor_wrapper(program: str, network: str) -> str:
    """Return a script that runs gVisor's program with these options, for engines that take a path and nothing else."""
    return f'#!/bin/sh\nexec {program} {" ".join(gvisor_options(network))} "$@"\n'


def podman_containers(home: Path, runtime: str, program: str) -> str:
    """Return Podman's configuration (containers.conf(5)): what it would write onto the host goes below ``home``.

    Locks are files, not in the host's shared memory.
    """
    return (
        f'[containers]\nlog_driver = "k8s-file"\n'
        f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "{runtime}"\n'
        f'tmp_dir = "{home}/libpod"\nvolume_path = "{home}/volumes"\nlock_type = "file"\n'
        f'[engine.runtimes]\n{runtime} = ["{program}"]\n'
        f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{home}/networks"\n'
    )


def podman_storage(home: Path, driver: str) -> str:
    """Return the configuration of Podman's storage (containers-storage.conf(5))."""
    return f'[storage]\ndriver = "{driver}"\ngraphroot = "{home}/root"\nrunroot = "{home}/run"\n'
