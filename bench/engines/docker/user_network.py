"""A network of the user's own making, in Docker or Podman: a bridge on which instances know each other by name."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address, ip_network
from typing import Any

from docker.errors import NotFound

from bench.lab import Lab, network

NAME = "tare-user"
"""How daemons of the lab call it; it goes with them."""


def make(client: Any) -> None:
    """Make the network unless it is there: a bridge, everything else as the engine chooses."""
    with contextlib.suppress(NotFound):
        client.inspect_network(NAME)
        return
    client.create_network(NAME, driver="bridge")


def evidence(client: Any, lab: Lab, pid: int) -> dict[str, str]:
    """Return ``network``: ``user`` when the kernel has given the process an address of this network, else ``bridge``."""
    found = client.inspect_network(NAME)
    subnets = [ip_network(one["Subnet"]) for one in found["IPAM"]["Config"] if "Subnet" in one]
    mine = network.addresses(lab, {pid})
    inside = any(ip_address(address) in subnet for address in mine for subnet in subnets)
    return {"network": "user" if inside else "bridge"}
