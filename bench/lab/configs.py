"""The configuration files of the lab's daemons: pure text, so that it can be read and tested without a daemon."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

_GVISOR_NETWORKS = {"none": "none", "bridge": "sandbox", "host": "host"}
"""Network mode of the engine above → what gVisor is to do for the network: nothing, its own stack, or the host's."""
_CRI = 'plugins."io.containerd.grpc.v1.cri"'


def containerd(home: Path, sock: Path) -> str:
    """Return the configuration of containerd without its CRI plugin (containerd-config.toml(5), version 2)."""
    return (
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
        f'[grpc]\naddress = "{sock}"\n[ttrpc]\naddress = "{sock}.ttrpc"\n'
    )


def containerd_cri(home: Path, sock: Path, image: str, plugins: Path | None, runtimes: Mapping[str, str]) -> str:
    """Return the configuration of containerd with its CRI plugin (containerd's docs/cri/config.md).

    ``image`` is the pods' own, ``plugins`` the folder of network plugins, ``runtimes`` handler → program.
    ``restrict_oom_score_adj``: a host may not allow a lower score to root either (no CAP_SYS_RESOURCE).
    """
    handlers = "".join(
        f'[{_CRI}.containerd.runtimes.{name}]\nruntime_type = "io.containerd.runc.v2"\n'
        f'[{_CRI}.containerd.runtimes.{name}.options]\nBinaryName = "{program}"\n'
        for name, program in runtimes.items()
    )
    return (
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        f'disabled_plugins = ["io.containerd.internal.v1.opt"]\n'
        f'[grpc]\naddress = "{sock}"\n[ttrpc]\naddress = "{sock}.ttrpc"\n'
        f'[{_CRI}]\nsandbox_image = "{image}"\nrestrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true\n'
        f'stream_server_address = "127.0.0.1"\n'
        f'[{_CRI}.cni]\nbin_dir = "{plugins or home / "no-plugins"}"\nconf_dir = "{home}/net.d"\n'
        f'[{_CRI}.containerd]\nsnapshotter = "overlayfs"\ndefault_runtime_name = "runc"\n{handlers}'
    )


def pod_network(home: Path) -> str:
    """Return the pods' network: a bridge with addresses of its own, as containerd's installation guide sets it up."""
    bridge = {
        "type": "bridge",
        "bridge": "tare-pods",
        "isGateway": True,
        "ipMasq": True,
        "promiscMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.89.0.0/16"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(home / "addresses"),
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "tare", "plugins": [bridge, ports]}, indent=1)


def docker(home: Path, storage: str, sock: Path, containerd_sock: Path, cgroup_parent: str) -> str:
    """Return the configuration of dockerd (``daemon.json``)."""
    spaces = f"tare-{storage}"  # two daemons on one containerd must not see each other's tasks
    return json.dumps(
        {
            "hosts": [f"unix://{sock}"],
            "containerd": str(containerd_sock),
            "containerd-namespace": spaces,
            "containerd-plugins-namespace": f"{spaces}-plugins",
            "data-root": str(home / "root"),
            "exec-root": str(home / "exec"),
            "pidfile": str(home / "pid"),
            "storage-driver": storage,
            "cgroup-parent": cgroup_parent,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "log-level": "warn",
            "runtimes": {"crun": {"path": "crun"}}
            | {f"runsc-{mode}": {"path": "runsc", "runtimeArgs": gvisor_options(mode)} for mode in _GVISOR_NETWORKS},
        }
    )


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
