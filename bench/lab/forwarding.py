"""Forwarding in the lab's network namespace: packets of instances to the second host and back.

An engine in the same namespace may set the policy of chain FORWARD to drop, and the kernel forwards nothing until it is told to.
Both are settings of the namespace and vanish with it.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from bench.core import proc
from bench.lab import Lab

_REMEDY = "install iptables"
_done: WeakKeyDictionary[Lab, set[str]] = WeakKeyDictionary()


def let_through(lab: Lab, subnet: str, *, masquerade: bool = False) -> None:
    """Forward packets from and to a subnet; ``masquerade`` gives those that leave it the host's address.

    Raises:
        TargetUnavailable: There is no iptables, or this process may start nothing in the lab.
        LabError: The kernel refuses.
    """
    done = _done.setdefault(lab, set())
    if subnet in done:
        return
    iptables = proc.find("iptables", _REMEDY)
    rules = [["-I", "FORWARD", side, subnet, "-j", "ACCEPT"] for side in ("-s", "-d")]
    if masquerade:
        rules.append(["-t", "nat", "-A", "POSTROUTING", "-s", subnet, "!", "-d", subnet, "-j", "MASQUERADE"])
    for rule in rules:
        lab.daemons.namespace.run([iptables, "-w", *rule])
    lab.daemons.namespace.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    done.add(subnet)
