"""Docker's network modes beside the usual ones: macvlan, an overlay over two hosts, published ports with and without iptables.

    macvlan     an address of its own on the cable to the second host
    overlay     a swarm of two daemons, one of them on the second host; the far end is in a container's network there
    published   ports of the host, forwarded by the kernel's address translation (Docker's rules in iptables)
    proxied     the same ports, copied by docker-proxy: a daemon without iptables, on a bridge of its own

Each lives in the lab's daemons only and goes with them. What a mode is, is read from the kernel: links, rules, processes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from bench.core import proc, proctable
from bench.core.errors import InvocationFailed
from bench.engines.base import NetworkPath
from bench.engines.builds import DEFAULT, Build
from bench.engines.docker import api, config
from bench.engines.docker.daemon import dockerd_name, start_dockerd
from bench.engines.evidence import links
from bench.lab import Lab, images, network

MODES = ("macvlan", "overlay", "published", "proxied")
ROLES = {"overlay": "swarm", "proxied": "proxied"}
"""Modes that have a daemon of their own, and the role in which the lab starts it."""
_PROXY_ADDRESS = "10.92.0.1/24"
_MACVLAN_RANGE = "10.90.0.128/27"
_HOLDER = "tare-far"
_NAMES = {"macvlan": "tare-macvlan", "overlay": "tare-overlay", "published": "bridge", "proxied": "bridge"}


@dataclass
class Mode:
    """One of these modes in one lab.

    Attributes:
        name: ``macvlan``, ``overlay``, ``published`` or ``proxied``.
        lab: The lab.
        storage: Storage driver of the daemons.
        build: Program and settings of the daemons.
        holder: Process in the overlay network on the second host, and its address.
    """

    name: str
    lab: Lab
    storage: str
    build: Build = DEFAULT
    holder: tuple[int, str] | None = field(default=None)

    @property
    def network(self) -> str:
        """What a container's network mode is called."""
        return _NAMES[self.name]

    @property
    def ports(self) -> dict[str, tuple[str, int]]:
        """Ports that are published: of the container → address and port of the host."""
        if self.name not in ("published", "proxied"):
            return {}
        return {f"{port}/{kind}": (network.LAB_ADDRESS, port) for port in network.PORTS for kind in ("tcp", "udp")}

    @property
    def daemon(self) -> str:
        """Name of its daemon among the lab's."""
        return dockerd_name(self.storage, ROLES.get(self.name, ""), self.build)

    def socket(self) -> Path:
        """Start its daemon and return the socket.

        Raises:
            LabError: It does not start.
        """
        network.peer(self.lab)
        if self.name == "proxied":
            _make_bridge(self.lab)
        return start_dockerd(self.lab, self.storage, ROLES.get(self.name, ""), build=self.build)

    def make(self, client: Any) -> None:
        """Make the network in the daemon of this mode, unless it is there.

        Raises:
            LabError: The second host cannot be made.
        """
        if self.name == "macvlan":
            _make_macvlan(client)
        elif self.name == "overlay":
            self.holder = self.holder or _make_overlay(client, self)

    def way(self) -> NetworkPath:
        """Return how instances and the far end reach each other."""
        if self.ports:
            return NetworkPath("peer", network.LAB_ADDRESS, first_port=network.PORTS[0], turned=True)
        if self.holder is not None:
            return NetworkPath("a container's network on the second host", self.holder[1], pid=self.holder[0])
        return NetworkPath("peer", network.PEER_ADDRESS)

    def evidence(self, client: Any, said: dict[str, Any], lab_pid: int) -> dict[str, str]:
        """Return ``network`` as the kernel has it, and what proves it.

        Raises:
            InvocationFailed: The process is gone.
        """
        pid = int(said["State"]["Pid"])
        found = links.live_facts(pid, lab_pid)
        if self.name == "overlay":
            return found | self._overlay(client)
        if self.ports:
            address = next((net["IPAddress"] for net in said["NetworkSettings"]["Networks"].values()), "")
            return found | _published(self.lab, address)
        return found

    def _overlay(self, client: Any) -> dict[str, str]:
        """Look into the network namespace that the daemon keeps for the overlay: a vxlan device makes it one."""
        whole = str(client.inspect_network(self.network)["Id"])
        folder = self.lab.paths.run / self.daemon / "exec/netns"
        kept = next((path for path in folder.glob(f"*-{whole[:10]}")), None)
        if kept is None:
            return {"network": "private"}
        enter = [proc.find("nsenter", "install util-linux"), f"--net={kept}", "--"]
        ip = [*enter, proc.find("ip", "install iproute2"), "-details", "-json", "link", "show"]
        kinds = sorted({links.kind_of(link) for link in links.parse(proc.run(ip, timeout_s=30).check().stdout)})
        return {"network": "overlay" if "vxlan" in kinds else "private", "overlay": " ".join(kinds)}


def _make_macvlan(client: Any) -> None:
    with contextlib.suppress(NotFound):
        client.inspect_network(_NAMES["macvlan"])
        return
    pool = IPAMPool(subnet=network.SUBNET, iprange=_MACVLAN_RANGE, gateway=network.LAB_ADDRESS)
    options = {"parent": network.LAB_LINK}
    client.create_network(_NAMES["macvlan"], driver="macvlan", options=options, ipam=IPAMConfig(pool_configs=[pool]))


def _make_overlay(client: Any, mode: Mode) -> tuple[int, str]:
    """Join two daemons into a swarm and return a process in the overlay network on the second host, with its address.

    Networks that containers can be attached to need no load balancer of the kernel (IPVS), which not every kernel has.
    """
    lab = mode.lab
    peer = network.peer(lab)
    if client.info()["Swarm"]["LocalNodeState"] != "active":
        client.init_swarm(advertise_addr=network.LAB_ADDRESS, listen_addr=f"{network.LAB_ADDRESS}:2377")
    there = start_dockerd(lab, mode.storage, "peer", build=mode.build, where=peer.prefix())
    far = api.connect(f"unix://{there}")
    lab.daemons.clients.callback(far.close)
    token = client.inspect_swarm()["JoinTokens"]["Worker"]
    where = f"{network.PEER_ADDRESS}:2377"
    far.join_swarm([f"{network.LAB_ADDRESS}:2377"], token, listen_addr=where, advertise_addr=network.PEER_ADDRESS)
    client.create_network(_NAMES["overlay"], driver="overlay", attachable=True)
    image = api.load(far, images.image(lab.paths.state))
    settings = far.create_host_config(network_mode=_NAMES["overlay"])
    made = far.create_container(image, ["--sleep"], host_config=settings, name=_HOLDER)["Id"]
    far.start(made)
    said = far.inspect_container(made)
    address = str(said["NetworkSettings"]["Networks"][_NAMES["overlay"]]["IPAddress"])
    pid = int(said["State"]["Pid"])
    if not pid or not address:
        msg = f"the container on the second host has no address in the overlay network: {said['State'].get('Error')}"
        raise InvocationFailed(msg)
    return pid, address


def _published(lab: Lab, address: str) -> dict[str, str]:
    """Say who brings packets to a container's published ports: rules of the kernel, or docker-proxy."""
    iptables = proc.find("iptables", "install iptables")
    rules = lab.daemons.namespace.run([iptables, "-w", "-t", "nat", "-S"]).stdout.splitlines()
    translated = any(f"--to-destination {address}:" in rule for rule in rules)
    here = Path(f"/proc/{lab.daemons.namespace.holder.pid}/ns/net").readlink()
    copied = any(_space(pid) == here for pid in proctable.with_argument(address)) if address else False
    kind = "published" if translated else "proxied" if copied else "private"
    return {"network": kind, "dnat": "yes" if translated else "no", "docker_proxy": "yes" if copied else "no"}


def _space(pid: int) -> Path | None:
    """Return a process's network namespace; another lab's docker-proxy may have the same arguments."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink()
    except OSError:  # it is gone
        return None


def _make_bridge(lab: Lab) -> None:
    """Make the bridge of the daemon without iptables, which needs it when it starts."""
    there = lab.daemons.namespace.run(["ip", "-brief", "link", "show", "type", "bridge"]).stdout
    if config.PROXY_BRIDGE in there:
        return
    for argv in (
        ["ip", "link", "add", config.PROXY_BRIDGE, "type", "bridge"],
        ["ip", "address", "add", _PROXY_ADDRESS, "dev", config.PROXY_BRIDGE],
        ["ip", "link", "set", config.PROXY_BRIDGE, "up"],
    ):
        lab.daemons.namespace.run(argv)
