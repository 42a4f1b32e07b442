"""Kind of network of a live process, read from the kernel's links in its namespace and in its host's (``ip``)."""

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
    """Return the links in the network namespace of a process, in iproute2's JSON form; a string means our own namespace.

    Raises:
        InvocationFailed: The process is gone, or its namespace cannot be entered.
    """
    where = network.inside(pid) if isinstance(pid, int) else []
    done = proc.run([*where, proc.find("ip", "install iproute2"), "-details", "-json", "link", "show"], timeout_s=30)
    return parse(done.check().stdout)


def parse(text: str) -> list[Link]:
    """Parse the output of ``ip -details -json link show``.

    Raises:
        InvocationFailed: It has another form.
    """
    try:
        found = json.loads(text or "[]")
        return [link for link in found if link and link["ifname"]]
    except (ValueError, KeyError, TypeError) as error:
        msg = f"'ip -json link show' did not print links, but: {' '.join(text.split())[:200] or 'nothing'}"
        raise InvocationFailed(msg) from error


def live_facts(pid: int, reference: int | str) -> dict[str, str]:
    """Return the facts about the link by which a process reaches the outside; ``reference`` is a process of the host's side.

    Raises:
        InvocationFailed: A process is gone, or a namespace cannot be entered.
    """
    inside = of(pid)
    found = facts(inside, of(reference))
    return found | ({"offloads": offloads.of(pid, link["ifname"])} if (link := outward(inside)) else {})


def facts_of(pid: int, name: str) -> dict[str, str]:
    """Return kind, MTU and offloads of a named link in a process's network namespace.

    Raises:
        InvocationFailed: There is no link of that name, or the process is gone.
    """
    link = next((one for one in of(pid) if one["ifname"] == name), None)
    if link is None:
        msg = f"process {pid} has no link '{name}' in its network namespace"
        raise InvocationFailed(msg)
    return {"link": kind_of(link), "mtu": str(link.get("mtu", "unknown")), "offloads": offloads.of(pid, name)}


def loopback_facts(pid: int) -> dict[str, str]:
    """Return kind, MTU and offloads of a process's loopback."""
    return {**facts_of(pid, "lo"), "link": "loopback"}


def toward(pid: int, address: str) -> dict[str, str]:
    """Return kind, MTU and offloads of the link by which a process would send to an address, by the kernel's routes.

    Raises:
        InvocationFailed: There is no route, or the process is gone.
    """
    where = [*network.inside(pid), proc.find("ip", "install iproute2"), "-json", "route", "get", address]
    said = proc.run(where, timeout_s=30).check().stdout
    name = route_device(said)
    return loopback_facts(pid) if name == "lo" else facts_of(pid, name)


def route_device(text: str) -> str:
    """Return the link from the output of ``ip -json route get``.

    Raises:
        InvocationFailed: It has another form.
    """
    try:
        return str(json.loads(text)[0]["dev"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        msg = f"'ip -json route get' did not print a route, but: {' '.join(text.split())[:200] or 'nothing'}"
        raise InvocationFailed(msg) from error


def outward(links: Sequence[Link]) -> Link | None:
    """Return the first link that is up and is not loopback."""
    return next((one for one in links if one.get("link_type") != "loopback" and "UP" in one.get("flags", ())), None)


def facts(inside: Sequence[Link], outside: Sequence[Link]) -> dict[str, str]:
    """Return the facts about a namespace's link to the outside: ``link`` (its kind), ``network`` and ``mtu``.

    A veth whose other end is a port of a bridge is network ``bridge``, one whose other end is not is ``ptp``.
    """
    link = outward(inside)
    if link is None:
        return {"link": "none", "network": "none"}
    kind = kind_of(link)
    found = {"link": kind, "mtu": str(link.get("mtu", "unknown")), "network": kind}
    if kind == "veth":
        other = next((one for one in outside if _are_ends(link, one)), None)
        found["network"] = "private" if other is None else "bridge" if bridge_of(other, outside) else "ptp"
    return found


def _are_ends(one: Link, other: Link) -> bool:
    """Return whether two links in two namespaces are the two ends of one veth pair."""
    each_names_the_other = one["ifindex"] == other.get("link_index") and other["ifindex"] == one.get("link_index")
    return each_names_the_other and kind_of(one) == kind_of(other) == "veth"


def kind_of(link: Link) -> str:
    """Return the kernel's kind of a link (``veth``, ``bridge`` …); a device without one is ``device``."""
    return str(link.get("linkinfo", {}).get("info_kind", "device"))


def bridge_of(link: Link, links: Sequence[Link]) -> str | None:
    """Return the bridge of which a link is a port, ``None`` without one."""
    master = next((one for one in links if one["ifname"] == link.get("master")), None)
    return str(master["ifname"]) if master is not None and kind_of(master) == "bridge" else None
