"""Abilities with networks: how an instance and a peer reach each other, names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bench.engines.base import Instance


@dataclass(frozen=True)
class NetworkPath:
    """How an instance and the far end of a network workload, a native process, reach each other.

    Attributes:
        far: Where the far end's programs are, in words: ``peer`` (the lab's second host), ``inside`` (the instance's own network
            namespace), or another place that the network mode requires.
        address: The address that is called.
        pid: A process in whose network namespace they are; ``None``: that of the second host, or with ``inside`` the instance's.
        first_port: When the far end calls because the instance has published ports: the first of as many ports at ``address``
            as there are services (``network.PORTS``); ``None``: the instance calls.
        turned: Whether the far end calls.
    """

    far: str
    address: str
    pid: int | None = None
    first_port: int | None = None
    turned: bool = False


@runtime_checkable
class HasNetworkPath(Protocol):
    """An engine that knows how its instances reach the far end of a network workload.

    The instances of any other engine reach the lab's second host by its address.
    """

    def network_path(self, instance: Instance | None) -> NetworkPath:
        """Return the path; before there is an instance its port may be missing.

        Raises:
            NotApplicable: There is no path.
        """
        ...


@runtime_checkable
class ResolvesNames(Protocol):
    """An engine that knows whether its instances can look each other up by name; those of any other engine cannot."""

    resolves_names: bool
    """Whether the target's network has a name service for its instances."""
