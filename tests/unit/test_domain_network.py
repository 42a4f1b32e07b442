"""A machine's card: what libvirt is asked for, the address, and what its packets are told to be carried by."""

from __future__ import annotations

import ipaddress
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from bench.core.errors import InvocationFailed
from bench.engines.base import InstanceSpec
from bench.engines.cri import config
from bench.engines.evidence import links
from bench.engines.libvirt import domain
from bench.engines.libvirt import network as cards
from bench.engines.libvirt.guests import Guest
from bench.engines.libvirt.network import Addresses, Card
from bench.lab import network

DATA = Path(__file__).parent.parent / "data"
GUEST = Guest("minimal", Path("/g/vmlinuz"), Path("/g/init.cpio"), "quiet rdinit=/tare-payload", None, {})


def read(kind: str, captured: str) -> dict[str, str]:
    """Return the facts of the card that was captured, with QEMU holding every tap of the links that were captured."""
    card = ET.parse(DATA / "libvirt" / f"card-{kind}.xml").getroot()  # noqa: S314 - ours
    said = (DATA / "libvirt" / f"network-{kind}.txt").read_text(encoding="utf-8")
    found = links.parse((DATA / "ip" / f"{captured}.json").read_text(encoding="utf-8"))
    held = {str(link["ifname"]) for link in found if links.kind_of(link) in ("tun", "macvtap")}
    return cards.facts(card, said, held, found)


@pytest.mark.parametrize(
    ("kind", "asked", "source"),
    [
        ("user", "user", None),
        ("bridge", "bridge", {"bridge": "tare-vms"}),
        ("macvtap", "direct", {"dev": network.LAB_LINK, "mode": "bridge"}),
    ],
)
def test_domain_has_requested_card(kind: str, asked: str, source: dict[str, str] | None) -> None:
    spec = InstanceSpec("tare-1", Path("/lab/e/1"))
    card = Card(kind, "eth0:10.0.2.15/24:10.0.2.2")
    text = domain.domain_xml(spec, GUEST, domain.Machine("tcg", "q35", "/q"), Path("/lab/b/1"), card=card)
    machine = ET.fromstring(text)  # noqa: S314 - ours
    interface = machine.find("devices/interface")
    assert interface is not None
    assert interface.get("type") == asked
    assert [found.attrib for found in interface.findall("source")] == ([source] if source else [])
    assert [found.get("type") for found in interface.findall("model")] == ["virtio"]
    assert " --modules /modules --address eth0:10.0.2.15/24:10.0.2.2 --sleep" in (machine.findtext("os/cmdline") or "")


@pytest.mark.parametrize(
    ("kind", "captured"), [("user", "lab-macvlan"), ("bridge", "machine-bridge"), ("macvtap", "machine-macvtap")]
)
def test_network_kind_is_read_back(kind: str, captured: str) -> None:
    found = read(kind, captured)
    assert (found["network"], found["nic"]) == (kind, "virtio-net-pci")
    assert found.get("mtu", "1500") == "1500"


def test_other_network_is_not_taken_for_requested_one() -> None:
    assert read("bridge", "machine-macvtap")["network"] == "macvtap"
    assert read("bridge", "lab-macvlan")["network"] == "unknown"  # QEMU holds no tap
    bridged = links.parse((DATA / "ip/machine-bridge.json").read_text(encoding="utf-8"))
    alone = [{key: value for key, value in link.items() if key != "master"} for link in bridged]
    held = {str(link["ifname"]) for link in bridged if links.kind_of(link) == "tun"}
    assert cards.facts(ET.Element("interface"), "", held, alone)["network"] == "tap"  # a tap on no bridge


def test_silent_qemu_proves_no_network() -> None:
    said = (DATA / "libvirt/broken.txt").read_text(encoding="utf-8")
    found = cards.facts(ET.Element("interface"), said, set(), [])
    assert (found["nic"], found["network"]) == ("unknown", "unknown")


def test_open_files_of_missing_process_fail() -> None:
    assert dict(cards._files(os.getpid()))
    with pytest.raises(InvocationFailed, match="is gone"):
        dict(cards._files(2**22 + 1))


def test_address_is_unique_until_given_back() -> None:
    addresses = Addresses("macvtap")
    taken = [addresses.take(f"tare-{number}") for number in range(63)]
    assert len(set(taken)) == 63
    assert addresses.take("tare-5") == taken[5]
    with pytest.raises(InvocationFailed, match="all 63 addresses for machines with network=macvtap are taken"):
        addresses.take("one more")
    addresses.give_back("tare-5")
    assert addresses.take("one more") == taken[5]


def test_cable_addresses_overlap_no_other_range() -> None:
    cable = ipaddress.ip_network(network.SUBNET)
    first = ipaddress.IPv4Address(Addresses("macvtap").take("a").partition(":")[2].partition("/")[0])
    assert first in cable
    assert all(ipaddress.IPv4Address(end) < first for end in config.MACVLAN_RANGE)


def test_bridge_is_gateway_of_bridged_machines() -> None:
    name, address, gateway = Addresses("bridge").take("a").split(":")
    inside = ipaddress.ip_interface(address).network
    assert name == "eth0"
    assert ipaddress.ip_address(gateway) in inside
    assert not inside.overlaps(ipaddress.ip_network(network.SUBNET))
    assert not any(inside.overlaps(ipaddress.ip_network(subnet)) for subnet in config.POD_SUBNETS.values())


def test_user_network_address_is_constant() -> None:
    addresses = Addresses("user")
    assert addresses.take("a") == addresses.take("b") == "eth0:10.0.2.15/24:10.0.2.2"
