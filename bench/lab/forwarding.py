"""What the lab's own network namespace passes on: packets of pods and machines to the second host and back.

A dockerd in the same namespace drops what it does not know (the policy of chain FORWARD), and before the first bridge of some
engine the kernel forwards nothing at all. Both are settings of the namespace and vanish with it.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from bench.core import proc
from bench.lab import Lab

_REMEDY = "install iptables"
_done: WeakKeyDictionary[Lab, set[str]] = WeakKeyDictionary()


def let_through(lab: Lab, subnet: str, *, masquerade: bool = False) -> None:
    """Have the lab forward what comes from a subnet or goes there; ``masquerade``: others see it as the host's own.

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
