"""Docker's network modes, one class each.

    bridge, host   what every daemon has by itself
    none           nothing but loopback
    user           a bridge network of our own, on which instances know each other by name
    internal       the same without a way to the outside
    macvlan        an address of its own on the cable to the second host
    overlay        a swarm of two daemons, one of them on the second host; the far end is in a container's network there
    published      ports of the host, forwarded by the kernel's address translation (Docker's rules in iptables)
    proxied        the same ports, copied by docker-proxy: a daemon without iptables, on a bridge of its own

Networks that are made exist in the lab's daemons only and are removed with them. The evidence of a mode is read from the kernel:
links, rules, processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from bench.core import kernelfiles, proc, proctable
from bench.core.errors import InvocationFailed
from bench.engines.abilities import NetworkPath
from bench.engines.docker import api, config
from bench.engines.docker.bridges import Builtin, Internal, Loopback, Site, UserDefined
from bench.engines.docker.daemon import start_dockerd
from bench.engines.evidence import links
from bench.lab import Lab, images, network

_PROXY_ADDRESS = "10.92.0.1/24"
_MACVLAN_RANGE = "10.90.0.128/27"
_FAR_CONTAINER = "tare-far"


class Linked(Builtin):
    """A mode whose kind the kernel's links show; it needs the lab's second host."""

    made = True

    def prepare_host(self) -> None:
        """Make the second host."""
        network.peer(self.site.lab)

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Read the container's link to the outside."""
        return links.live_facts(int(inspected["State"]["Pid"]), daemon_pid)


class Macvlan(Linked):
    """``macvlan`` on the cable to the second host."""

    def __init__(self, mode: str, site: Site) -> None:
        super().__init__("tare-macvlan", site)

    def make(self, client: api.Client) -> None:
        """Make the network on the lab's end of the cable."""
        with contextlib.suppress(NotFound):
            client.inspect_network(self.mode)
            return
        pool = IPAMPool(subnet=network.SUBNET, iprange=_MACVLAN_RANGE, gateway=network.LAB_ADDRESS)
        ipam, options = IPAMConfig(pool_configs=[pool]), {"parent": network.LAB_LINK}
        client.create_network(self.mode, driver="macvlan", options=options, ipam=ipam)


class Overlay(Linked):
    """``overlay`` over two daemons; the far end is a container on the second host."""

    role = "swarm"
    resolves_names = True
    _far: tuple[int, str] | None = None
    """Process and address of the container on the second host."""

    def __init__(self, mode: str, site: Site) -> None:
        super().__init__("tare-overlay", site)

    def make(self, client: api.Client) -> None:
        """Join two daemons into a swarm and start a container in the overlay network on the second host.

        Networks to which containers can be attached do not need the kernel's load balancer (IPVS), which not every kernel has.
        """
        if self._far is None:
            far = self._joined(client)
            client.create_network(self.mode, driver="overlay", attachable=True)
            self._far = self._far_container(far)

    def path(self) -> NetworkPath:
        """Return the way to the container on the second host."""
        if self._far is None:
            return super().path()
        return NetworkPath("a container's network on the second host", self._far[1], pid=self._far[0])

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Look into the network namespace that the daemon keeps for the overlay: a vxlan device proves it."""
        found = super().evidence(client, inspected, daemon_pid)
        whole = str(client.inspect_network(self.mode)["Id"])
        folder = self.site.lab.paths.run / self.site.daemon(self.role) / "exec/netns"
        namespace = next((path for path in folder.glob(f"*-{whole[:10]}")), None)
        if namespace is None:
            return found | {"network": "private"}
        enter = [proc.find("nsenter", "install util-linux"), f"--net={namespace}", "--"]
        ip = [*enter, proc.find("ip", "install iproute2"), "-details", "-json", "link", "show"]
        kinds = sorted({links.kind_of(link) for link in links.parse(proc.run(ip, timeout_s=30).check().stdout)})
        return found | {"network": "overlay" if "vxlan" in kinds else "private", "overlay": " ".join(kinds)}

    def _joined(self, client: api.Client) -> api.Client:
        """Make the swarm and return a client of the daemon on the second host."""
        lab = self.site.lab
        peer = network.peer(lab)
        if client.info()["Swarm"]["LocalNodeState"] != "active":
            client.init_swarm(advertise_addr=network.LAB_ADDRESS, listen_addr=f"{network.LAB_ADDRESS}:2377")
        there = start_dockerd(lab, self.site.storage, "peer", build=self.site.build, where=peer.prefix())
        far = api.connect(f"unix://{there}")
        lab.daemons.clients.callback(far.close)
        token = client.inspect_swarm()["JoinTokens"]["Worker"]
        where = f"{network.PEER_ADDRESS}:2377"
        far.join_swarm([f"{network.LAB_ADDRESS}:2377"], token, listen_addr=where, advertise_addr=network.PEER_ADDRESS)
        return far

    def _far_container(self, far: api.Client) -> tuple[int, str]:
        image = api.load(far, images.image(self.site.lab.paths.state))
        settings = far.create_host_config(network_mode=self.mode)
        made = far.create_container(image, ["--sleep"], host_config=settings, name=_FAR_CONTAINER)["Id"]
        far.start(made)
        inspected = far.inspect_container(made)
        address = str(inspected["NetworkSettings"]["Networks"][self.mode]["IPAddress"])
        pid, state = int(inspected["State"]["Pid"]), inspected["State"]
        if not pid or not address:
            msg = f"the container on the second host has no address in the overlay network: {state.get('Error')}"
            raise InvocationFailed(msg)
        return pid, address


class Published(Linked):
    """``published``: the usual bridge, its ports published at the lab's address."""

    ports: Mapping[str, tuple[str, int]] = {
        f"{port}/{protocol}": (network.LAB_ADDRESS, port) for port in network.PORTS for protocol in ("tcp", "udp")
    }

    def __init__(self, mode: str, site: Site) -> None:
        super().__init__("bridge", site)

    def path(self) -> NetworkPath:
        """Return the way from the second host to the published ports."""
        return NetworkPath("peer", network.LAB_ADDRESS, first_port=network.PORTS[0], turned=True)

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Return what forwards packets to the published ports: rules of the kernel, or docker-proxy."""
        found = super().evidence(client, inspected, daemon_pid)
        attached = inspected["NetworkSettings"]["Networks"].values()
        return found | _forwarding(self.site.lab, next((one["IPAddress"] for one in attached), ""))


class Proxied(Published):
    """``proxied``: the same ports of a daemon without iptables."""

    role = "proxied"

    def prepare_host(self) -> None:
        """Make the second host, and the bridge, which a daemon without iptables needs when it starts."""
        super().prepare_host()
        namespace = self.site.lab.daemons.namespace
        if config.PROXY_BRIDGE in namespace.run(["ip", "-brief", "link", "show", "type", "bridge"]).stdout:
            return
        for argv in (
            ["ip", "link", "add", config.PROXY_BRIDGE, "type", "bridge"],
            ["ip", "address", "add", _PROXY_ADDRESS, "dev", config.PROXY_BRIDGE],
            ["ip", "link", "set", config.PROXY_BRIDGE, "up"],
        ):
            namespace.run(argv)


_MODES: dict[str, type[Builtin]] = {
    "none": Loopback,
    "user": UserDefined,
    "internal": Internal,
    "macvlan": Macvlan,
    "overlay": Overlay,
    "published": Published,
    "proxied": Proxied,
}


def of(mode: str, site: Site) -> Builtin:
    """Return the network of a target by the value of its option ``network``."""
    return _MODES.get(mode, Builtin)(mode, site)


def _forwarding(lab: Lab, address: str) -> dict[str, str]:
    """Return what forwards packets to a container of that address.

    Keys: ``network``, ``dnat`` (rules of the kernel), ``docker_proxy``.
    """
    iptables = proc.find("iptables", "install iptables")
    rules = lab.daemons.namespace.run([iptables, "-w", "-t", "nat", "-S"]).stdout.splitlines()
    translated = any(f"--to-destination {address}:" in rule for rule in rules)
    here = _namespace(lab.daemons.namespace.holder.pid)
    copied = any(_namespace(pid) == here for pid in proctable.with_argument(address)) if address and here else False
    kind = "published" if translated else "proxied" if copied else "private"
    return {"network": kind, "dnat": "yes" if translated else "no", "docker_proxy": "yes" if copied else "no"}


def _namespace(pid: int) -> str:
    """Return a process's network namespace, empty when it is gone; another lab's docker-proxy may have the same arguments."""
    return kernelfiles.link(Path(f"/proc/{pid}/ns/net"))
