"""The far end of network workloads: native programs that listen in a network namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed
from bench.lab import Lab, images, network
from bench.lab.network import ANSWERS, CONNECTS, PORTS, STREAMS
from bench.workloads import iperf3, sockperf

_START_S = 10.0
_GRACE_S = 2.0


def servers(state: Path) -> dict[int, list[str]]:
    """Return the command line of each native server: port → argv.

    Raises:
        TargetUnavailable: A program is not installed.
    """
    payload = str(images.payload(state).path)
    return {
        STREAMS: [proc.find("iperf3", iperf3.REMEDY), *iperf3.server(STREAMS)],
        CONNECTS: [payload, "--accept", str(CONNECTS), "--sleep"],
        ANSWERS: [proc.find("sockperf", sockperf.REMEDY), *sockperf.server(ANSWERS)],
    }


@contextlib.contextmanager
def services(lab: Lab, pid: int) -> Iterator[None]:
    """Run native servers in the network namespace of a process during the block.

    Raises:
        TargetUnavailable: A program is not installed.
        InvocationFailed: One does not listen in time.
    """
    log = lab.paths.run / "log" / "far-end.log"
    with contextlib.ExitStack() as stack:
        for argv in servers(lab.paths.state).values():
            process = proc.spawn([*network.inside(pid), *argv], stdout=log, stderr=log)
            stack.callback(process.stop, _GRACE_S)
        wait_listening(pid, log)
        yield


def wait_listening(pid: int, log: Path | None = None) -> None:
    """Wait until each of the ports has a listener in the network namespace of a process.

    Raises:
        InvocationFailed: One has none in time; the message has the end of the log.
    """
    deadline = now_s() + _START_S * proc.PATIENCE
    while missing := set(PORTS) - network.listening(pid):
        if now_s() > deadline:
            said = log.read_text(encoding="utf-8", errors="replace").strip()[-300:] if log and log.exists() else ""
            ports = ", ".join(map(str, sorted(missing)))
            msg = (
                f"nobody listens at port {ports} where the far end, or the instance, should: {said or 'no word of why'}"
            )
            raise InvocationFailed(msg)
        sleep_s(0.005)
