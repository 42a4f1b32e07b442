"""The lab's upstream name server: a native process that answers at once that a name does not exist.

Name services of engines forward unknown names to the server in their host's /etc/resolv.conf. During a measurement that is this
one: no query leaves the host, and the time of an unknown name is that of the engine's own service.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.lab import Lab, images

NAME = "names"
"""Name of the process among the lab's daemons."""
ADDRESS = "10.90.1.53"
"""An address that no network in the lab has, and not a loopback one: engines refuse to forward queries to those."""
_CONFIG = Path("/etc/resolv.conf")
_GRACE_S = 5.0


@contextlib.contextmanager
def last_server(lab: Lab) -> Iterator[str]:
    """Run the name server, with its address in the lab's /etc/resolv.conf, during the block; yield the address.

    Raises:
        TargetUnavailable: The lab can start no daemons.
        LabError: The server does not start, or the file cannot be mounted over.
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
    """Run the server during the block only, so that it disturbs no other measurement."""
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
