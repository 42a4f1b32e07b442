"""The network of a virtual machine: its card, the address that its payload sets, and what carries its packets.

``user`` is QEMU's own stack (slirp): a connection of the guest is a socket of QEMU in the lab's namespace. ``bridge`` is a tap on
a bridge of the lab with masquerading, as libvirt's network "default" is. ``macvtap`` puts the machine onto the cable to the
second host (libvirt's ``type='direct'``), past the lab's own addresses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import stat
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from weakref import WeakKeyDictionary

import libvirt

from bench.core import kernelfiles
from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.engines.evidence import links, offloads
from bench.engines.libvirt import domain as domains
from bench.engines.libvirt import modules
from bench.lab import Lab, forwarding, network

KINDS = ("user", "bridge", "macvtap")
MODULES = ("virtio_pci", "virtio_net")
"""Kernel modules that the guests need for the card."""
_CARD = "eth0"
_MODEL = "virtio"
BRIDGE = "tare-vms"
_BRIDGE_MAC = "02:74:61:72:65:01"
"""A bridge without a MAC address of its own takes the smallest of its ports', which each new machine may change."""
_BRIDGE_SUBNET = ipaddress.ip_network("10.91.0.0/16")
_CABLE_FIRST, _CABLE_LAST = (ipaddress.ip_address(f"10.90.0.{last}") for last in (192, 254))
"""The range of the cable's addresses that is for machines."""
_USER_ADDRESS = f"{_CARD}:10.0.2.15/24:10.0.2.2"
"""QEMU's stack is each machine's own, so all of them have the same address (qemu(1), ``-netdev user``)."""
_VHOST = "/dev/vhost-net"
_TAPS = "tap[0-9]*"
"""Names of macvtap's devices."""


@dataclass(frozen=True)
class Card:
    """One machine's card.

    Attributes:
        kind: One of ``KINDS``.
        address: What the payload is told: ``IFACE:IP/PREFIX:GATEWAY``.
    """

    kind: str
    address: str

    def arguments(self) -> tuple[str, ...]:
        """Return the payload's arguments that set the card up."""
        return ("--modules", f"/{modules.NAME}", "--address", self.address)

    def add_to(self, devices: ET.Element) -> None:
        """Add the card to a machine's definition; nothing boots from it, so it has no ROM."""
        kind = {"macvtap": "direct"}.get(self.kind, self.kind)
        card = ET.SubElement(devices, "interface", type=kind)
        if self.kind == "bridge":
            ET.SubElement(card, "source", bridge=BRIDGE)
        elif self.kind == "macvtap":
            ET.SubElement(card, "source", dev=network.LAB_LINK, mode="bridge")
        ET.SubElement(card, "model", type=_MODEL)
        ET.SubElement(card, "rom", enabled="no")


class Addresses:
    """The free addresses of one kind of network."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()
        hosts = (_CABLE_FIRST, _CABLE_LAST) if kind == "macvtap" else (_BRIDGE_SUBNET[2], _BRIDGE_SUBNET[-2])
        self._first, self._last = (int(one) for one in hosts)

    def take(self, name: str) -> str:
        """Return a machine's address as the payload's argument, the same until it is given back.

        Raises:
            InvocationFailed: All are taken.
        """
        if self._kind == "user":
            return _USER_ADDRESS
        with self._lock:
            if name not in self._taken:
                used = set(self._taken.values())
                self._taken[name] = next((one for one in range(self._first, self._last + 1) if one not in used), 0)
            number = self._taken[name]
        if not number:
            self.give_back(name)
            msg = f"all {self._last - self._first + 1} addresses for machines with network={self._kind} are taken"
            raise InvocationFailed(msg)
        address = ipaddress.ip_address(number)
        if self._kind == "macvtap":
            return f"{_CARD}:{address}/{network.PREFIX}"
        return f"{_CARD}:{address}/{_BRIDGE_SUBNET.prefixlen}:{_BRIDGE_SUBNET[1]}"

    def give_back(self, name: str) -> None:
        """Free a machine's address; nothing happens when it has none."""
        with self._lock:
            self._taken.pop(name, None)


_bridges: WeakKeyDictionary[Lab, str] = WeakKeyDictionary()


def set_up(lab: Lab, kind: str) -> None:
    """Make what cards of that kind are connected to; it is removed with the lab.

    Raises:
        TargetUnavailable: It cannot be made here.
    """
    try:
        network.peer(lab)
        if kind == "bridge":
            _make_bridge(lab)
        elif kind == "macvtap":
            _refuse_strangers(lab)
    except LabError as error:
        raise TargetUnavailable(f"the network of the machines cannot be made: {error}", "see what it says") from error


def _make_bridge(lab: Lab) -> None:
    if lab in _bridges:
        return
    for argv in (
        ["ip", "link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge"],
        ["ip", "address", "add", f"{_BRIDGE_SUBNET[1]}/{_BRIDGE_SUBNET.prefixlen}", "dev", BRIDGE],
        ["ip", "link", "set", BRIDGE, "up"],
    ):
        lab.daemons.namespace.run(argv)
    forwarding.let_through(lab, str(_BRIDGE_SUBNET), masquerade=True)
    _bridges[lab] = BRIDGE


def _refuse_strangers(lab: Lab) -> None:
    """Refuse macvtap while others have such devices: ``/dev/tapN`` has a number that each network namespace counts by itself.

    libvirt would open another machine's device under the name of ours.

    Raises:
        TargetUnavailable: There is one.
    """
    ours = {f"/dev/tap{link['ifindex']}" for link in links.of(lab.daemons.namespace.holder.pid)}
    if strangers := sorted({f"/dev/{name}" for name in kernelfiles.names(Path("/dev")) if fnmatch(name, _TAPS)} - ours):
        msg = f"macvtap devices that are not the lab's are there: {', '.join(strangers[:3])}"
        raise TargetUnavailable(msg, "end the machines that use them")


def live_facts(domain: libvirt.virDomain, pid: int, lab: Lab) -> dict[str, str]:
    """Read a live machine's network from libvirt, QEMU (HMP ``info network``) and the kernel."""
    card = domains.live(domain).find("./devices/interface")
    if card is None:
        return {"network": "none"}
    said = str(domains.ask(domain, "human-monitor-command", {"command-line": "info network"}))
    outside = links.of(lab.daemons.namespace.holder.pid)
    files = dict(_files(pid))
    vhost = any(path == _VHOST for path, _ in files.values())
    taps = list(_taps(pid, files, outside))
    found = {"vhost": "yes" if vhost else "no"} | facts(card, said, set(taps), outside)
    return found | ({"offloads": offloads.of(lab.daemons.namespace.holder.pid, taps[0])} if taps else {})


def facts(card: ET.Element, said: str, held: Set[str], outside: Sequence[links.Link]) -> dict[str, str]:
    """Return what a live machine's card is and what carries its packets.

    Args:
        card: The card in libvirt's live definition.
        said: QEMU's answer to ``info network``.
        held: The names of the links whose other side QEMU holds.
        outside: The links of the lab's namespace.
    """
    model = re.search(r"type=nic,model=([^,\s]+)", said)
    found = {"nic": model[1] if model else "unknown", "interface_type": card.get("type", "unknown")}
    link = next((one for one in outside if one["ifname"] in held), None)
    if link is None:
        return found | {"network": "user" if "type=user" in said else "unknown", "link": "none"}
    kind = links.kind_of(link)
    ways = {"macvtap": "macvtap", "tun": "bridge" if links.bridge_of(link, outside) else "tap"}
    return found | {"network": ways.get(kind, kind), "link": kind, "mtu": str(link["mtu"])}


def _files(pid: int) -> Iterator[tuple[int, tuple[str, bool]]]:
    """Yield the open files of a process: number → path, and whether it is a character device.

    Raises:
        InvocationFailed: The process is gone.
    """
    folder = Path(f"/proc/{pid}/fd")
    numbers = kernelfiles.numbers(folder)
    if not numbers:
        msg = f"the QEMU with process id {pid} is gone, so its network cannot be read back"
        raise InvocationFailed(msg)
    for number in numbers:
        entry = folder / str(number)
        with contextlib.suppress(OSError):
            yield number, (str(entry.readlink()), stat.S_ISCHR(entry.stat().st_mode))


def _taps(pid: int, files: Mapping[int, tuple[str, bool]], outside: Sequence[links.Link]) -> Iterator[str]:
    """Yield the names of the links whose other side a process holds.

    A tap's name is in what the kernel says of the open file (``iff:``, drivers/net/tun.c). A macvtap's is not: its device is
    named by the number of the link.
    """
    for number, (path, is_device) in files.items():
        if path.startswith("/dev/net/tun"):
            with contextlib.suppress(OSError):
                said = Path(f"/proc/{pid}/fdinfo/{number}").read_text(encoding="ascii", errors="replace")
                yield from re.findall(r"^iff:\s*(\S+)$", said, re.MULTILINE)
        elif is_device and (tap := re.match(r"/dev/tap(\d+)\b", path)):
            yield from (str(link["ifname"]) for link in outside if link["ifindex"] == int(tap[1]))
