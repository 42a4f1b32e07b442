"""The configuration of the lab's containerd with the CRI plugin, and of the pods' networks: pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bench.core.quoting import toml
from bench.lab import network

POD_SUBNETS = {"bridge": "10.89.0.0/16", "ptp": "10.88.0.0/16"}
"""Kind of pod network → its addresses; the other kinds have addresses of the veth pair to the second host."""
POD_NETWORKS = (*POD_SUBNETS, "macvlan")
"""Kinds of pod networks; runtime handlers that name none use the first."""
MACVLAN_RANGE = ("10.90.0.160", "10.90.0.191")
"""First and last address in ``network.SUBNET`` that pods may have."""
_CRI = 'plugins."io.containerd.grpc.v1.cri"'


def containerd(home: Path, sock: Path, image: str, plugins: Path | None, runtimes: Mapping[str, str]) -> str:
    """Return the configuration of containerd with its CRI plugin (containerd's docs/cri/config.md).

    There is a runtime handler for each OCI runtime with each network, since a handler has one folder of networks.
    ``restrict_oom_score_adj``: a host may not allow root to lower a score either (no CAP_SYS_RESOURCE).

    Args:
        home: The daemon's folder.
        sock: Its socket.
        image: The image of the pods' own container.
        plugins: The folder of network plugins, ``None`` when there are none.
        runtimes: OCI runtime → program.
    """
    handlers = "".join(
        f'[{_CRI}.containerd.runtimes.{handler(name, kind)}]\nruntime_type = "io.containerd.runc.v2"\n'
        f"cni_conf_dir = {toml(home / 'net.d' / kind)}\n"
        f"[{_CRI}.containerd.runtimes.{handler(name, kind)}.options]\nBinaryName = {toml(program)}\n"
        for name, program in runtimes.items()
        for kind in POD_NETWORKS
    )
    return (
        f"version = 2\nroot = {toml(home / 'root')}\nstate = {toml(home / 'state')}\n"
        f'disabled_plugins = ["io.containerd.internal.v1.opt"]\n'
        f"[grpc]\naddress = {toml(sock)}\n[ttrpc]\naddress = {toml(f'{sock}.ttrpc')}\n"
        f"[{_CRI}]\nsandbox_image = {toml(image)}\nrestrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true\n"
        f'stream_server_address = "127.0.0.1"\n'
        f"[{_CRI}.cni]\nbin_dir = {toml(plugins or home / 'no-plugins')}\nconf_dir = {toml(home / 'net.d' / POD_NETWORKS[0])}\n"
        f'[{_CRI}.containerd]\nsnapshotter = "overlayfs"\ndefault_runtime_name = "runc"\n{handlers}'
    )


def handler(runtime: str, kind: str) -> str:
    """Return the name of the runtime handler for an OCI runtime and a kind of pod network."""
    return runtime if kind == POD_NETWORKS[0] else f"{runtime}-{kind}"


def pod_network(home: Path, kind: str) -> str:
    """Return the CNI configuration of a kind of pod network; each kind has addresses of its own.

    ``bridge`` is set up as in containerd's installation guide. ``ptp`` is the same without the bridge: each pod has a veth pair
    to the host, which routes. Both masquerade as the host. ``macvlan`` attaches the pods to the veth pair to the second host.
    """
    addresses: dict[str, object] = {"type": "host-local", "dataDir": str(home / "addresses")}
    plugin: dict[str, object] = {"type": kind, "ipam": addresses}
    if kind == "macvlan":
        first, last = MACVLAN_RANGE
        addresses["ranges"] = [[{"subnet": network.SUBNET, "rangeStart": first, "rangeEnd": last}]]
        return _network(kind, {**plugin, "master": network.LAB_LINK, "mode": "bridge"})
    addresses |= {"ranges": [[{"subnet": POD_SUBNETS[kind]}]], "routes": [{"dst": "0.0.0.0/0"}]}
    plugin["ipMasq"] = True
    if kind == "bridge":
        plugin |= {"bridge": "tare-pods", "isGateway": True, "promiscMode": True}
    return _network(kind, plugin, {"type": "portmap", "capabilities": {"portMappings": True}})


def _network(kind: str, *plugins: Mapping[str, object]) -> str:
    return json.dumps({"cniVersion": "0.4.0", "name": f"tare-{kind}", "plugins": plugins}, indent=1)
