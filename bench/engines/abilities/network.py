"""Abilities with networks: how an instance and a peer reach each other, names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bench.engines.base import Engine, Instance


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


class Networks(Protocol):
    """The networks of one engine, and what its documentation says of the target's."""

    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def documented(self, fact: str) -> bool | None:
        """Return whether something works by the documentation; ``None`` where that says nothing.

        Facts are ``to-…``: an instance reaches its peer on the same network (``to-peer``), an instance on another one, its
        gateway, its host's address, loopback or abstract socket, the outside; ``from-host`` and ``from-outside``: it is reached;
        ``second-…``: a second instance with the same port starts, may bind it and is reached; ``named``, ``new-name``,
        ``host-name`` and ``old-name``, also ``…-after-restart``: an instance is found by the name.
        """
        ...

    def other(self) -> Engine:
        """Return the engine with another network of the same daemon, prepared.

        Raises:
            NotApplicable: There is none.
            TargetUnavailable: It cannot be used here.
        """
        ...


@runtime_checkable
class HasNetworks(Protocol):
    """An engine that has several networks."""

    @property
    def networks(self) -> Networks:
        """What it knows of them."""
        ...
