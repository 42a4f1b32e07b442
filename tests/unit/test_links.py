"""The kind of a network, from what ``ip`` printed in a pod's namespace and in its host's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.core.errors import InvocationFailed
from bench.engines.evidence import links

DATA = Path(__file__).parent.parent / "data" / "ip"


def captured(name: str) -> list[links.Link]:
    return links.parse((DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "link"), [("bridge", "veth"), ("ptp", "veth"), ("macvlan", "macvlan")])
def test_pod_network_is_read_from_links(kind: str, link: str) -> None:
    assert links.facts(captured(f"pod-{kind}"), captured(f"lab-{kind}")) == {
        "link": link,
        "network": kind,
        "mtu": "1500",
    }


def test_veth_with_unknown_peer_is_private() -> None:
    assert links.facts(captured("pod-bridge"), captured("lab-macvlan"))["network"] == "private"


def test_port_of_non_bridge_is_ptp() -> None:
    outside = [dict(link) for link in captured("lab-bridge")]
    for link in outside:
        if links.kind_of(link) == "bridge":
            link["linkinfo"] = {"info_kind": "bond"}
    assert links.facts(captured("pod-bridge"), outside)["network"] == "ptp"


def test_loopback_and_down_links_are_no_network() -> None:
    down = [{**link, "flags": [flag for flag in link["flags"] if flag != "UP"]} for link in captured("pod-bridge")]
    assert links.facts(captured("pod-bridge")[:1], [])["network"] == "none"
    assert links.facts(down, [])["network"] == "none"


@pytest.mark.parametrize(
    "text", [(DATA / "broken.json").read_text(encoding="utf-8"), json.dumps([{"ifindex": 1}]), "3"]
)
def test_output_without_links_fails(text: str) -> None:
    with pytest.raises(InvocationFailed, match="did not print links, but: "):
        links.parse(text)
