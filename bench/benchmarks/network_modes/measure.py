"""What a network mode costs: TCP throughput both ways, answers, connections, datagrams, and CPU time of the whole host.

One topology for all modes: the near end is the payload in the target, the far end a native process at the lab's second host
(``lab/network.py``). Where a mode has another meaning the far end is elsewhere (``engines/base.py``, ``NetworkPath``): beside the
payload where there is only loopback, beside a second daemon's container on an overlay network. Published ports are called and
do not call: there the servers run in the instance, and native programs at the second host call them. "Out" is always what
the instance sends.

What is taken from where: see ``workloads/iperf3.py`` and ``workloads/sockperf.py``; connections are counted by the payload over
the host's stamps. CPU time is that of all processes of the host and of the kernel around a test, so that work which a mode
hands to others is counted, and so is whatever else runs. The order of the tests turns by one each block.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from bench.benchmarks.network_modes import far as far_end
from bench.benchmarks.network_modes import near as near_end
from bench.benchmarks.network_modes.near import Heard, Near, Step
from bench.core.clock import Channel, now_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Phase
from bench.engines.base import HasNetworkPath, Instance, NetworkPath
from bench.engines.evidence import links
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import network
from bench.probes import processes
from bench.workloads import iperf3, sockperf

PEER = "peer"
_GB = 1e9
_CONNECTS = re.compile(r"connect (\d+)")


def measure(context: InvocationContext) -> InvocationResult:
    """Run every test against one instance.

    Raises:
        NotApplicable: The target has no network, or one that leads to no far end.
        InvocationFailed: Another mode took, or a test failed.
    """
    _refuse_strangers(context)
    way = _way(context, None)
    steps = near_end.order(context.invocation.block, int(context.params["streams"]))
    requested: list[float] = []
    noted = dataclasses.replace(context, note_request=requested.append)
    with life.living(noted, near_end.spec(context, way, steps)) as (instance, channel), context.account.engine():
        context.note_request(requested[0])
        evidence = life.evidence_of(context, instance)
        _refuse_silence(context, way, evidence)
        way = _way(context, instance)
        evidence = _link(context, instance, way) | evidence
        with _near(context, instance, channel, way) as near:
            found = [(step, near.run(step)) for step in steps]
        context.engine.stop(instance)
    values = {"network.ready_s": channel.stamps[Phase.READY] - requested[0], **_plain(found)}
    notes = {"far": _words(way), "address": way.address, "order": ", ".join(step.name for step in steps), **_HOW}
    return InvocationResult(values, evidence | _versions(found), series=tuple(_series(found)), notes=notes)


_HOW = {
    "request-response": "TCP, 14 bytes, round trip",
    "datagrams": f"UDP out, {iperf3.UDP_BITS_PER_S // 10**6} Mbit/s in datagrams of {iperf3.UDP_BYTES} bytes",
}


def _refuse_strangers(context: InvocationContext) -> None:
    """Refuse a daemon or runtime that is not the lab's.

    Raises:
        NotApplicable: It is somebody's own, whose networks do not lead into the lab.
    """
    target = context.engine.target
    if target.options.get("endpoint", "lab") != "lab":
        msg = f"'{target.text}' is outside the lab, and no network of its own leads to the lab's second host"
        raise NotApplicable(msg)


def _way(context: InvocationContext, instance: Instance | None) -> NetworkPath:
    """Return how the target and the far end reach each other: as the engine says, else by the second host's address."""
    network.peer(context.lab)
    if isinstance(context.engine, HasNetworkPath):
        return context.engine.way(instance)
    return NetworkPath(PEER, network.PEER_ADDRESS)


def _refuse_silence(context: InvocationContext, way: NetworkPath, evidence: Mapping[str, str]) -> None:
    """Refuse an instance that has nothing but loopback, where the far end is at the second host.

    Raises:
        NotApplicable: It is one.
    """
    if way.far == PEER and evidence.get("network") == "none":
        msg = f"'{context.engine.target.text}' has no network but loopback"
        raise NotApplicable(msg)


def _link(context: InvocationContext, instance: Instance, way: NetworkPath) -> dict[str, str]:
    """Return the link to the far end from the instance's network namespace; a machine's kernel is not asked.

    Raises:
        InvocationFailed: There is no way to the far end.
    """
    if context.engine.channel == "stream":
        return {}
    return links.toward(_own_pid(instance), network.PEER_ADDRESS if way.turned else way.address)


@contextlib.contextmanager
def _near(context: InvocationContext, instance: Instance, channel: Channel, way: NetworkPath) -> Iterator[Near]:
    """Give the end that calls, the other one being ready for it."""
    elsewhere = way.pid or network.peer(context.lab).pid
    if way.turned:
        far_end.wait_listening(_own_pid(instance))
        yield near_end.Outside(context, elsewhere, way)
        return
    with far_end.services(context.lab, _own_pid(instance) if way.far == "inside" else elsewhere):
        yield near_end.Inside(context, instance, channel, now_s() + context.timeout_s)


def _own_pid(instance: Instance) -> int:
    """Return the process id of an instance's payload.

    Raises:
        InvocationFailed: It has none on this host.
    """
    pid = next((pid for pid in sorted(instance.pids()) if processes.is_payload(pid)), None)
    if pid is None:
        msg = f"'{instance.name}' has no payload whose network could be entered"
        raise InvocationFailed(msg)
    return pid


def _words(way: NetworkPath) -> str:
    where = {PEER: "second host", "inside": "the instance's own loopback"}.get(way.far, way.far)
    return f"{where}, calls the instance" if way.turned else where


def _series(found: Sequence[tuple[Step, Heard]]) -> Iterator[Value]:
    for step, heard in found:
        if step.kind == "streams":
            params = {"streams": step.streams, "direction": step.direction}
            result = iperf3.parse_streams(heard.text, heard.seconds)
            yield Value("network.throughput_bytes_per_s", result.bytes / result.seconds, params)
            yield Value("network.cpu_s_per_gb", heard.cpu_s / (result.bytes / _GB), params)
            if result.retransmits is not None:
                yield Value("network.retransmits", result.retransmits, params)


def _plain(found: Sequence[tuple[Step, Heard]]) -> dict[str, float]:
    """Return the numbers without parameters of their own."""
    by_kind = {step.kind: heard for step, heard in found}
    answers = sockperf.parse(by_kind["answers"].text, by_kind["answers"].seconds)
    datagrams = iperf3.parse_datagrams(by_kind["datagrams"].text, by_kind["datagrams"].seconds)
    return {
        "network.rr_p50_s": answers.p50_s,
        "network.rr_p99_s": answers.p99_s,
        "network.connect_per_s": connections(by_kind["connects"]),
        "network.udp_bytes_per_s": datagrams.bytes / datagrams.seconds,
        "network.udp_loss_ratio": datagrams.lost / datagrams.sent,
        "network.udp_jitter_s": datagrams.jitter_s,
    }


def connections(heard: Heard) -> float:
    """Return connections per second.

    Raises:
        InvocationFailed: None was counted.
    """
    counted = _CONNECTS.search(heard.text)
    if counted is None or int(counted[1]) == 0 or heard.seconds <= 0:
        msg = f"no connection was counted in {heard.seconds:g} s; the payload said: {heard.text or 'nothing'}"
        raise InvocationFailed(msg)
    return int(counted[1]) / heard.seconds


def _versions(found: Sequence[tuple[Step, Heard]]) -> dict[str, str]:
    by_kind = {step.kind: heard.text for step, heard in found}
    return {"iperf3": iperf3.version(by_kind["streams"]), "sockperf": sockperf.version(by_kind["answers"])}
