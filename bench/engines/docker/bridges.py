"""The modes of Docker's networks that need nothing but the daemon: its own, and bridge networks of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from docker.errors import NotFound

from bench.core.errors import NotApplicable
from bench.engines.abilities import NetworkPath
from bench.engines.builds import Build
from bench.engines.docker import api
from bench.engines.docker.daemon import dockerd_name
from bench.lab import Lab, network


@dataclass(frozen=True)
class Site:
    """The daemon in which a network is.

    Attributes:
        lab: The lab.
        storage: Storage driver of the daemon.
        build: Program and settings of the daemon.
    """

    lab: Lab
    storage: str
    build: Build

    def daemon(self, role: str) -> str:
        """Return the name of the lab's daemon for that role."""
        return dockerd_name(self.storage, role, self.build)


class Builtin:
    """A mode that every daemon has by itself; the other modes differ from it.

    Attributes:
        mode: What the daemon calls it.
        role: Role of the daemon that has this mode; empty: the usual one.
        made: Whether something is made in the daemon for it.
        resolves_names: Whether containers can look each other up by name; on Docker's default bridge they cannot, by design.
        ports: Ports that are published: ``PORT/tcp`` of the container → address and port of the host.
    """

    role = ""
    made = False
    resolves_names = False
    ports: Mapping[str, tuple[str, int]] = {}

    def __init__(self, mode: str, site: Site) -> None:
        self.mode = mode
        self.site = site

    def prepare_host(self) -> None:
        """Make what the daemon needs before it starts.

        Raises:
            LabError: That is not possible here.
        """

    def make(self, client: api.Client) -> None:
        """Make the network in the daemon unless it is there.

        Raises:
            LabError: The second host cannot be made.
        """

    def path(self) -> NetworkPath:
        """Return how instances and the far end reach each other."""
        return NetworkPath("peer", network.PEER_ADDRESS)

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Return ``network`` as the kernel has it, and what proves it; empty where the namespaces tell it already.

        Args:
            client: The daemon's client.
            inspected: Its answer to ``inspect`` about the container.
            daemon_pid: Its process.

        Raises:
            InvocationFailed: The container's process is gone.
        """
        return {}


class Loopback(Builtin):
    """``none``: the far end must be inside the instance."""

    def path(self) -> NetworkPath:
        """Return the way through the instance's own loopback."""
        return NetworkPath("inside", "127.0.0.1")


class UserDefined(Builtin):
    """``user``: a bridge network, in Docker or Podman, everything else as the engine chooses."""

    made = True
    resolves_names = True

    def __init__(self, mode: str, site: Site) -> None:
        super().__init__("tare-user", site)

    def make(self, client: api.Client) -> None:
        """Make the bridge network."""
        with contextlib.suppress(NotFound):
            client.inspect_network(self.mode)
            return
        client.create_network(self.mode, driver="bridge")

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Return ``user`` when the kernel has given the process an address of this network, else ``bridge``."""
        return {"network": "user" if self._has(client, int(inspected["State"]["Pid"])) else "bridge"}

    def _has(self, client: api.Client, pid: int) -> bool:
        """Say whether the kernel has given a process an address of this network."""
        found = client.inspect_network(self.mode)
        subnets = [ip_network(one["Subnet"]) for one in found["IPAM"]["Config"] if "Subnet" in one]
        addresses = network.addresses(self.site.lab, {pid})
        return any(ip_address(address) in subnet for address in addresses for subnet in subnets)


class Internal(UserDefined):
    """``internal``: a bridge network without a route to any other network."""

    def __init__(self, mode: str, site: Site) -> None:
        super().__init__(mode, site)
        self.mode = "tare-internal"

    def make(self, client: api.Client) -> None:
        """Make the bridge network."""
        with contextlib.suppress(NotFound):
            client.inspect_network(self.mode)
            return
        client.create_network(self.mode, driver="bridge", internal=True)

    def path(self) -> NetworkPath:
        """Refuse: nothing outside is reached.

        Raises:
            NotApplicable: Always.
        """
        msg = "an internal network cannot reach the far end"
        raise NotApplicable(msg)

    def evidence(self, client: api.Client, inspected: Mapping[str, Any], daemon_pid: int) -> dict[str, str]:
        """Return ``internal`` when the kernel has given the process an address of this network, and the daemon calls it that.

        Releases differ in what the kernel has: no default route in the container, or rules that drop what comes by it.
        """
        inside = self._has(client, int(inspected["State"]["Pid"]))
        return {"network": "internal" if inside and client.inspect_network(self.mode)["Internal"] else "bridge"}
