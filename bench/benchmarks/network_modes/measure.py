"""What a network mode costs: TCP throughput in both directions, latency, connections, datagrams, and CPU time of the whole host.

One topology for all modes: the near end is the payload in the target, the far end a native process at the lab's second host
(``lab/network.py``). Some modes need another far end (``engines/abilities``, ``NetworkPath``): inside the instance where there
is only loopback, in a second daemon's container on an overlay network. Published ports can only be called: there the servers run
in the instance, and native programs at the second host call them. "Out" is always what the instance sends.

``workloads/iperf3.py`` and ``workloads/sockperf.py`` describe their numbers; the payload counts connections over a time that the
host stamps. CPU time is that of all processes of the host and of the kernel during a test, so that work which a mode delegates is
counted, as is whatever else runs. The order of the tests rotates by one each block.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from bench.benchmarks.network_modes import far as far_end
from bench.benchmarks.network_modes import near as near_end
from bench.benchmarks.network_modes.near import Heard, Near, Step
from bench.core.clock import Channel, now_s
from bench.core.errors import InvocationFailed
from bench.core.model import Phase
from bench.engines.abilities import NetworkPath
from bench.engines.base import Instance
from bench.invocation import life, paths
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import network
from bench.workloads import iperf3, sockperf

_GB = 1e9
_CONNECTS = re.compile(r"connect (\d+)")


def measure(context: InvocationContext) -> InvocationResult:
    """Run every test against one instance.

    Raises:
        NotApplicable: The target has no network, or one that leads to no far end.
        InvocationFailed: The instance has another mode, or a test failed.
    """
    paths.refuse_strangers(context)
    path = paths.path_of(context, None)
    basic = context.params["tests"] == "basic"
    steps = near_end.order(context.invocation.block, int(context.params["streams"]), basic=basic)
    with life.begun(context, near_end.spec(context, path, steps)) as (begun, instance), context.account.engine():
        evidence = life.evidence_of(context, instance)
        paths.refuse_silence(context, path, evidence)
        path = paths.path_of(context, instance)
        evidence = paths.link_of(context, instance, path) | evidence
        with _near(context, instance, begun.channel, path) as near:
            found = [(step, near.run(step)) for step in steps]
        context.engine.stop(instance)
    ready_s = begun.timeline.stamps[Phase.READY] - begun.requested_s
    values = {"network.ready_s": ready_s, **_plain(found)}
    how = {name: _HOW[name] for name in _HOW if name != "datagrams" or not basic}
    notes = {"far": _words(path), "address": path.address, "order": ", ".join(step.name for step in steps), **how}
    return InvocationResult(values, evidence | _versions(found), series=tuple(_series(found)), notes=notes)


_HOW = {
    "request-response": "TCP, 14 bytes, round trip",
    "datagrams": f"UDP out, {iperf3.UDP_BITS_PER_S // 10**6} Mbit/s in datagrams of {iperf3.UDP_BYTES} bytes",
}


@contextlib.contextmanager
def _near(context: InvocationContext, instance: Instance, channel: Channel, path: NetworkPath) -> Iterator[Near]:
    """Yield the end that calls, once the other end is ready."""
    elsewhere = path.pid or network.peer(context.lab).pid
    if path.turned:
        far_end.wait_listening(paths.own_pid(instance))
        yield near_end.Outside(context, elsewhere, path)
        return
    with far_end.services(context.lab, paths.own_pid(instance) if path.far == paths.INSIDE else elsewhere):
        yield near_end.Inside(context, instance, channel, now_s() + context.timeout_s)


def _words(path: NetworkPath) -> str:
    where = {paths.PEER: "second host", paths.INSIDE: "the instance's own loopback"}.get(path.far, path.far)
    return f"{where}, calls the instance" if path.turned else where


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
    """Return the numbers that have no parameters of their own."""
    by_kind = {step.kind: heard for step, heard in found}
    answers = sockperf.parse(by_kind["answers"].text, by_kind["answers"].seconds)
    return {
        "network.rr_p50_s": answers.p50_s,
        "network.rr_p99_s": answers.p99_s,
        "network.connect_per_s": connections(by_kind["connects"]),
        **(_datagrams(by_kind["datagrams"]) if "datagrams" in by_kind else {}),
    }


def _datagrams(heard: Heard) -> dict[str, float]:
    datagrams = iperf3.parse_datagrams(heard.text, heard.seconds)
    return {
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
