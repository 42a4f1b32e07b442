"""A second host for network workloads: a network namespace that a veth pair connects to the lab's.

    peer (10.90.0.2, tare-in) ── veth ── (tare-out, 10.90.0.1) lab: daemons, bridges, containers, machines

The far end of every network workload is a native process, in most modes at the peer, so that modes differ only in the near end.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from bench.core import kernelfiles, proc
from bench.lab import Lab

NAME = "peer"
"""Name of the peer's holder among the lab's daemons."""
LAB_LINK, PEER_LINK = "tare-out", "tare-in"
LAB_ADDRESS, PEER_ADDRESS = "10.90.0.1", "10.90.0.2"
SUBNET, PREFIX = "10.90.0.0/24", 24
"""Addresses from .128 on are for instances that are attached to the veth pair themselves (macvlan, macvtap)."""
STREAMS, CONNECTS, ANSWERS = PORTS = (5201, 5202, 5203)
"""Ports of the far end's services: iperf3 (TCP and UDP), the payload that accepts connections, sockperf."""
_LISTENS = "0A"
"""State TCP_LISTEN in /proc/net/tcp (include/net/tcp_states.h)."""


@dataclass(frozen=True)
class Peer:
    """The second host.

    Attributes:
        pid: The process that holds its namespace: ``nsenter --target PID --net`` enters it.
    """

    pid: int

    def prefix(self) -> list[str]:
        """Return the argv prefix that starts a program at the peer, in the caller's mount namespace."""
        return inside(self.pid)


def inside(pid: int) -> list[str]:
    """Return the argv prefix that starts a native program in the network namespace of a process, and only in that."""
    return [proc.find("nsenter", "install util-linux"), f"--target={pid}", "--net", "--"]


_peers: WeakKeyDictionary[Lab, Peer] = WeakKeyDictionary()


def peer(lab: Lab) -> Peer:
    """Return the lab's peer; make it at the first call. It vanishes with the lab.

    Raises:
        TargetUnavailable: The lab has no network of its own (not root).
        LabError: It cannot be made.
    """
    if lab not in _peers:
        _peers[lab] = _make(lab)
    return _peers[lab]


def _make(lab: Lab) -> Peer:
    daemons = lab.daemons
    unshare, sleep = proc.find("unshare", "install util-linux"), proc.find("sleep", "install coreutils")
    daemons.start(NAME, [unshare, "--net", "--", sleep, "infinity"], lambda: _holds(daemons.running[NAME].pid))
    pid = daemons.running[NAME].pid
    there = inside(pid)
    for argv in (
        ["ip", "link", "add", LAB_LINK, "type", "veth", "peer", "name", PEER_LINK, "netns", str(pid)],
        ["ip", "address", "add", f"{LAB_ADDRESS}/{PREFIX}", "dev", LAB_LINK],
        ["ip", "link", "set", LAB_LINK, "up"],
        [*there, "ip", "address", "add", f"{PEER_ADDRESS}/{PREFIX}", "dev", PEER_LINK],
        [*there, "ip", "link", "set", "lo", "up"],
        [*there, "ip", "link", "set", PEER_LINK, "up"],
    ):
        daemons.namespace.run(argv)
    return Peer(pid)


def _holds(pid: int) -> bool:
    """Say whether the holder has its namespace: then it has executed ``sleep``."""
    return _program(pid) == "sleep"


def _program(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:  # noqa: PTH123 - one line of procfs
        return file.read().strip()


def run_in(lab: Lab, pid: int, argv: Sequence[str]) -> proc.Completed:
    """Run a short set-up command in the network namespace of a process of the lab.

    Raises:
        LabError: It failed.
    """
    return lab.daemons.namespace.run([*inside(pid), *argv])


def addresses(lab: Lab, pids: Iterable[int]) -> set[str]:
    """Return the IPv4 addresses of processes in network namespaces other than the lab's own, as the kernel reports them.

    Raises:
        LabError: They cannot be read.
    """
    spaces: dict[str, int] = {}
    for pid in pids:
        spaces.setdefault(kernelfiles.link(Path(f"/proc/{pid}/ns/net")), pid)
    spaces.pop(kernelfiles.link(Path(f"/proc/{lab.daemons.namespace.holder.pid}/ns/net")), None)
    spaces.pop("", None)  # those that are gone
    found = [run_in(lab, pid, ["ip", "-json", "-4", "address", "show", "scope", "global"]) for pid in spaces.values()]
    return {
        str(one["local"]) for done in found for link in json.loads(done.stdout) for one in link.get("addr_info", ())
    }


def listening(pid: int) -> set[int]:
    """Return the TCP ports with a listener in the network namespace of a process; empty when the process is gone."""
    found: set[int] = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            found |= parse_listening(Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii"))
    return found


def parse_listening(text: str) -> set[int]:
    """Parse the ports of listening sockets from /proc/net/tcp or tcp6 (proc(5))."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}
