"""The lab's last name server: what no network knows is asked of a native process of ours, which says at once that nobody has it.

Name services of engines pass on what they do not know to the server in their host's /etc/resolv.conf. In the lab that is this
one for the time of a measurement: no question leaves this host, and what an unknown name costs is the service's own part.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.lab import Lab, images

NAME = "names"
"""Name of the process among the lab's daemons."""
ADDRESS = "10.90.1.53"
"""An address of the lab's own that no network of it has, and no loopback: engines refuse to pass questions on to one."""
_CONFIG = Path("/etc/resolv.conf")
_GRACE_S = 5.0


@contextlib.contextmanager
def last_server(lab: Lab) -> Iterator[str]:
    """Give the address of the lab's name server, and have it in the lab's /etc/resolv.conf for the time of the block.

    Raises:
        TargetUnavailable: This process may start nothing in the lab.
        LabError: It cannot be started, or the file cannot be covered.
    """
    ours, theirs = lab.paths.run / "resolv.conf", _CONFIG.resolve()
    ours.write_text(f"nameserver {ADDRESS}\n", encoding="utf-8")
    if not theirs.exists() and theirs.is_relative_to(
        "/run"
    ):  # kept by a service of the host's; the lab has a /run of its own
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.touch()
    namespace = lab.daemons.namespace
    with _running(lab):
        namespace.run(["mount", "--bind", str(ours), str(theirs)])
        try:
            yield ADDRESS
        finally:
            namespace.run(["umount", str(theirs)])


@contextlib.contextmanager
def _running(lab: Lab) -> Iterator[None]:
    """Have the server run for the time of the block: the host is then as before, nothing is left that might disturb others."""
    daemons, log = lab.daemons, lab.paths.run / "log" / f"{NAME}.log"
    daemons.namespace.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"])
    log.unlink(missing_ok=True)
    program = str(images.payload(lab.paths.state).path)
    who = ["--events", "fd:1", "--name", f"tare-{lab.short_id}-{NAME}"]
    argv = [program, *who, "--answer", f"{ADDRESS}#53", "--sleep"]
    daemons.start(NAME, argv, lambda: log.exists() and "B answer" in log.read_text(encoding="utf-8"))
    try:
        yield
    finally:
        daemons.running.pop(NAME).stop(_GRACE_S)
