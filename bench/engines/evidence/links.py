"""What kind of network a live process has: read from the kernel's links in its namespace and in its host's (``ip``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.engines.evidence import offloads
from bench.lab import network

Link = Mapping[str, Any]


def of(pid: int | str) -> list[Link]:
    """Return the links in the network namespace of a process, in iproute2's JSON form; a word means our own.

    Raises:
        InvocationFailed: The process is gone, or the namespace is closed to us.
    """
    where = network.inside(pid) if isinstance(pid, int) else []
    done = proc.run([*where, proc.find("ip", "install iproute2"), "-details", "-json", "link", "show"], timeout_s=30)
    return parse(done.check().stdout)


def parse(text: str) -> list[Link]:
    """Read what ``ip -details -json link show`` prints.

    Raises:
        InvocationFailed: It is something else.
    """
    try:
        found = json.loads(text or "[]")
        return [link for link in found if link and link["ifname"]]
    except (ValueError, KeyError, TypeError) as error:
        msg = f"'ip -json link show' did not print links, but: {' '.join(text.split())[:200] or 'nothing'}"
        raise InvocationFailed(msg) from error


def live_facts(pid: int, reference: int | str) -> dict[str, str]:
    """Return what the way out of a process's own network namespace is, seen with the links of the ``reference``'s.

    Raises:
        InvocationFailed: A process is gone, or a namespace is closed to us.
    """
    inside = of(pid)
    found = facts(inside, of(reference))
    return found | ({"offloads": offloads.of(pid, way["ifname"])} if (way := way_out(inside)) else {})


def way_facts(pid: int, name: str) -> dict[str, str]:
    """Return kind, MTU and offloads of a link by its name in a process's network namespace.

    Raises:
        InvocationFailed: There is none of that name, or the process is gone.
    """
    link = next((one for one in of(pid) if one["ifname"] == name), None)
    if link is None:
        msg = f"process {pid} has no link '{name}' in its network namespace"
        raise InvocationFailed(msg)
    return {"link": kind_of(link), "mtu": str(link.get("mtu", "unknown")), "offloads": offloads.of(pid, name)}


def loopback_facts(pid: int) -> dict[str, str]:
    """Return the same of a process's loopback."""
    return {**way_facts(pid, "lo"), "link": "loopback"}


def toward(pid: int, address: str) -> dict[str, str]:
    """Return the same of the link by which a process would send to an address, as the kernel's routes say.

    Raises:
        InvocationFailed: There is no way there, or the process is gone.
    """
    where = [*network.inside(pid), proc.find("ip", "install iproute2"), "-json", "route", "get", address]
    said = proc.run(where, timeout_s=30).check().stdout
    name = route_device(said)
    return loopback_facts(pid) if name == "lo" else way_facts(pid, name)


def route_device(text: str) -> str:
    """Read the link in what ``ip -json route get`` prints.

    Raises:
        InvocationFailed: It is something else.
    """
    try:
        return str(json.loads(text)[0]["dev"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        msg = f"'ip -json route get' did not print a route, but: {' '.join(text.split())[:200] or 'nothing'}"
        raise InvocationFailed(msg) from error


def way_out(links: Sequence[Link]) -> Link | None:
    """Return the first link that is up and leads anywhere."""
    return next((one for one in links if one.get("link_type") != "loopback" and "UP" in one.get("flags", ())), None)


def facts(inside: Sequence[Link], outside: Sequence[Link]) -> dict[str, str]:
    """Return what a namespace's way out is: ``link`` (its kind), ``network`` where the kernel shows a kind, and ``mtu``.

    A veth whose other end is a port of a bridge of the host is ``bridge``, one whose other end is none is ``ptp``.
    """
    way = way_out(inside)
    if way is None:
        return {"link": "none", "network": "none"}
    kind = kind_of(way)
    found = {"link": kind, "mtu": str(way.get("mtu", "unknown")), "network": kind}
    if kind == "veth":
        other = next((link for link in outside if _are_ends(way, link)), None)
        found["network"] = "private" if other is None else "bridge" if bridge_of(other, outside) else "ptp"
    return found


def _are_ends(one: Link, other: Link) -> bool:
    """Say whether two links in two namespaces are the ends of one virtual cable."""
    each_names_the_other = one["ifindex"] == other.get("link_index") and other["ifindex"] == one.get("link_index")
    return each_names_the_other and kind_of(one) == kind_of(other) == "veth"


def kind_of(link: Link) -> str:
    """Return the kernel's kind of a link (``veth``, ``bridge`` …); a device without one is ``device``."""
    return str(link.get("linkinfo", {}).get("info_kind", "device"))


def bridge_of(link: Link, links: Sequence[Link]) -> str | None:
    """Return the bridge of which a link is a port, ``None`` when it is none's."""
    master = next((one for one in links if one["ifname"] == link.get("master")), None)
    return str(master["ifname"]) if master is not None and kind_of(master) == "bridge" else None
