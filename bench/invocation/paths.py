"""How an instance and the far end of a network workload reach each other, and what of it the kernel shows."""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HasNetworkPath, NetworkPath
from bench.engines.base import Instance
from bench.engines.evidence import links
from bench.invocation import poke
from bench.invocation.context import InvocationContext
from bench.lab import network

PEER, INSIDE = "peer", "inside"


def refuse_strangers(context: InvocationContext) -> None:
    """Refuse a daemon or runtime that is not the lab's.

    Raises:
        NotApplicable: It is somebody's own, whose networks do not lead into the lab.
    """
    target = context.engine.target
    if target.options.get("endpoint", "lab") != "lab":
        msg = f"'{target.text}' is outside the lab, and no network of its own leads to the lab's second host"
        raise NotApplicable(msg)


def path_of(context: InvocationContext, instance: Instance | None) -> NetworkPath:
    """Return how the target and the far end reach each other: as the engine says, else by the second host's address.

    Raises:
        NotApplicable: The engine has no path.
        TargetUnavailable: The lab has no second host (not root).
    """
    engine = context.engine
    own = engine.network_path(instance) if isinstance(engine, HasNetworkPath) else None
    path = own or NetworkPath(PEER, network.PEER_ADDRESS)
    if path.far != INSIDE:
        network.peer(context.lab)
    return path


def refuse_silence(context: InvocationContext, path: NetworkPath, evidence: Mapping[str, str]) -> None:
    """Refuse an instance that has only loopback while the far end is at the second host.

    Raises:
        NotApplicable: It is one.
    """
    if path.far == PEER and evidence.get("network") == "none":
        msg = f"'{context.engine.target.text}' has no network but loopback"
        raise NotApplicable(msg)


def link_of(context: InvocationContext, instance: Instance, path: NetworkPath) -> dict[str, str]:
    """Return the instance's link towards the far end; nothing for a machine, whose kernel is not asked.

    Raises:
        InvocationFailed: There is no path to the far end.
    """
    if context.engine.kind == "machine":
        return {}
    return links.toward(own_pid(instance), network.PEER_ADDRESS if path.turned else path.address)


def own_pid(instance: Instance) -> int:
    """Return the process id of an instance's payload.

    Raises:
        InvocationFailed: It has none on this host.
    """
    pids = poke.payloads(instance.pids())
    if not pids:
        msg = f"'{instance.name}' has no payload whose network could be entered"
        raise InvocationFailed(msg)
    return pids[0]
