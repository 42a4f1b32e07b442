"""What is outside an instance: listeners of the lab's host and of its second host, and calls from there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Interface
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import InvocationFailed, LabError, NotApplicable, TargetUnavailable
from bench.engines.abilities import HasNetworkPath
from bench.engines.base import Instance
from bench.engines.evidence import links
from bench.invocation import poke
from bench.invocation.context import InvocationContext
from bench.lab import Lab, images, network
from bench.workloads import reach
from bench.workloads.reach import Answer, Place

HOST, LOOPBACK, PEER, OTHER, OWN = 5211, 5212, 5213, 5214, 5215
"""Ports of the host's listeners, of the peer, of the instance on another network, and of the instance that calls."""
_START_S, _GRACE_S = 10.0, 2.0


@contextlib.contextmanager
def listeners(lab: Lab) -> Iterator[dict[str, Place]]:
    """Listen at the lab's host and at its second host during the block; yield place by name.

    Raises:
        InvocationFailed: One cannot listen.
    """
    abstract = f"@tare-{lab.short_id}-reach"
    outside = network.peer(lab).pid
    with (
        _listening(lab, lab.daemons.namespace.holder.pid, "host",
                   (reach.at("host", HOST), reach.at("loopback", LOOPBACK, "127.0.0.1"), Place("abstract", abstract))),
        _listening(lab, outside, "outside", (reach.at("outside", HOST),)),
    ):  # fmt: skip
        yield {
            "host": reach.at("host", HOST, network.LAB_ADDRESS),
            "host-loopback": reach.at("loopback", LOOPBACK, "127.0.0.1"),
            "host-abstract": Place("abstract", abstract),
            "outside": reach.at("outside", HOST, network.PEER_ADDRESS),
        }


@contextlib.contextmanager
def _listening(lab: Lab, pid: int, name: str, places: Sequence[Place]) -> Iterator[None]:
    """Run a native payload that listens in the network namespace of a process."""
    log = lab.paths.run / "log" / f"reach-{name}.log"
    log.unlink(missing_ok=True)
    argv = [*_payload(lab, pid), "--name", f"tare-{lab.short_id}-reach", *reach.listen(*places), "--sleep"]
    process = proc.spawn(argv, stdout=log, stderr=log)
    try:
        _wait_until_listening(log, len(places))
        yield
    finally:
        process.stop(_GRACE_S)


def _wait_until_listening(log: Path, count: int) -> None:
    deadline = now_s() + _START_S * proc.PATIENCE
    while len(found := reach.listening(_lines(log))) < count:
        if now_s() > deadline:
            msg = f"the lab's listeners do not start: {' '.join(_lines(log))[-300:] or 'no word of why'}"
            raise InvocationFailed(msg)
        sleep_s(0.005)
    if any(found.values()):
        msg = f"the lab's listeners cannot listen (error numbers: {found})"
        raise InvocationFailed(msg)


def _lines(log: Path) -> list[str]:
    whole = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return whole.rpartition("\n")[0].splitlines()


def _payload(lab: Lab, pid: int) -> list[str]:
    return [*network.inside(pid), str(images.payload(lab.paths.state).path), "--events", "fd:1"]


def call_from(lab: Lab, pid: int, place: Place, limit_ms: int) -> Answer:
    """Call a place from the network namespace of a process."""
    argv = [*_payload(lab, pid), *reach.call([place], limit_ms), "--exit"]
    done = proc.run(argv, timeout_s=limit_ms / 1000 + 30).check()
    return reach.answers(done.stdout.splitlines())[place.who]


def call_from_host(lab: Lab, place: Place, limit_ms: int) -> Answer:
    """Call a place from the lab's host."""
    return call_from(lab, lab.daemons.namespace.holder.pid, place, limit_ms)


def call_from_outside(lab: Lab, place: Place, subnet: IPv4Interface, limit_ms: int) -> Answer:
    """Call a place from the lab's second host, which sends packets for its subnet to the lab's host during the call."""
    peer, there = network.peer(lab).pid, str(subnet.network)
    routed = there != network.SUBNET
    if routed:
        network.run_in(lab, peer, ["ip", "route", "replace", there, "via", network.LAB_ADDRESS])
    try:
        return call_from(lab, peer, place, limit_ms)
    finally:
        if routed:
            network.run_in(lab, peer, ["ip", "route", "delete", there, "via", network.LAB_ADDRESS])


def forget_gateway(lab: Lab, instance: Instance) -> bool:
    """Let an instance ask anew for its gateway's link address; say whether the one that it knew is no link's any more.

    A bridge without a link address of its own takes the smallest of its ports', which each instance that starts or ends may
    change. Whoever knows the old one sends into the void until the entry has aged, up to a minute.
    """
    pids, holder = poke.payloads(instance.pids()), lab.daemons.namespace.holder.pid
    if not pids or _space(pids[0]) == _space(holder):
        return False
    said = network.run_in(lab, pids[0], ["ip", "-json", "neigh", "show"]).stdout
    known = {str(row["lladdr"]) for row in json.loads(said or "[]") if "lladdr" in row}
    there = {str(link.get("address")) for link in links.of(holder)}
    if known - there:
        network.run_in(lab, pids[0], ["ip", "neigh", "flush", "all"])
    return bool(known - there)


def _space(pid: int) -> str:
    return kernelfiles.link(kernelfiles.PROC / f"{pid}/ns/net")


def forwarding(lab: Lab) -> dict[str, str]:
    """Return the note with the policy of the lab's chain FORWARD, which all daemons share; empty without iptables.

    Docker sets it to DROP where it has to switch forwarding on itself, and otherwise leaves it.
    """
    with contextlib.suppress(TargetUnavailable, LabError):
        iptables = proc.find("iptables", "install iptables")
        rules = lab.daemons.namespace.run([iptables, "-w", "-S", "FORWARD"]).stdout.splitlines()
        return {"forward_policy": rules[0].rpartition(" ")[2]} if rules else {}
    return {}


def published_at(context: InvocationContext) -> Place | None:
    """Return the port of the host at which the instance is called, ``None`` where it has none."""
    if not isinstance(context.engine, HasNetworkPath):
        return None
    with contextlib.suppress(NotApplicable):
        path = context.engine.network_path(None)
        if path.first_port is not None:
            return reach.at("published", path.first_port, path.address)
    return None


def address_of(channel: Channel) -> IPv4Interface | None:
    """Return the address at which an instance is called, as it has reported it; ``None`` when it has only loopback.

    An instance in the lab's own network namespace has many: the one on the cable counts.
    """
    found = reach.addresses([line.text for line in channel.lines])
    return next(filter(in_lab, found), found[0] if found else None)


def in_lab(address: IPv4Interface | None) -> bool:
    """Say whether an instance of that address is in the lab's own network namespace."""
    return address is not None and str(address.ip) == network.LAB_ADDRESS


def refuse_own_network(context: InvocationContext, instance: Instance) -> None:
    """Refuse an instance in the network namespace of this process: nothing is called there.

    Raises:
        NotApplicable: It is one.
    """
    ours = kernelfiles.link(kernelfiles.PROC / "thread-self/ns/net")
    if any(_space(pid) == ours for pid in instance.pids()):
        msg = f"'{context.engine.target.text}' is in the host's own network namespace, not in the lab's"
        raise NotApplicable(msg)
