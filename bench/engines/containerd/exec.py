"""Further commands in a containerd task, as its own clients run them: exec, wait, start, delete, and a FIFO for each output."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines import oci_spec
from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.containerd.api import any_of
from bench.engines.containerd.session import CLEANUP_S, Session
from bench.lab import images

_PROCESS_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Process"
_PIECE = 65536


class Commands:
    """Runs commands in the tasks of one target; ``task`` returns the id of an instance's task."""

    def __init__(self, session: Session, task: Callable[[str], str]) -> None:
        self._session = session
        self._task = task
        self._numbers = count(1)

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the payload's command line."""
        return [images.PAYLOAD, "--events", f"unix:{images.EVENTS}"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command and return when containerd has reported its end and removed it."""
        end_s = now_s() + timeout_s
        who = {"container_id": self._task(instance.name), "exec_id": f"exec-{next(self._numbers)}"}
        call = self._session.api.call
        with _outputs(self._session.socket.parent) as outputs:
            spec = any_of(_PROCESS_TYPE, json.dumps(oci_spec.process(list(argv))).encode())
            fifos = dict(zip(("stdout", "stderr"), map(str, outputs), strict=True))
            call("Tasks/Exec", timeout_s, spec=spec, **fifos, **who)
            try:
                ended = self._session.api.begin("Tasks/Wait", timeout_s, **who)
                call("Tasks/Start", timeout_s, **who)
                said = _read(outputs.values(), end_s)
                code = int(ended(max(0.0, end_s - now_s())).exit_status)
            except BaseException:
                self._clean_up(who)
                raise
            call("Tasks/DeleteProcess", CLEANUP_S, **who)
        return Finished(code, said)

    def _clean_up(self, who: dict[str, str]) -> None:
        """End a command that has not ended, and remove it."""
        with contextlib.suppress(InvocationFailed):
            self._session.api.call("Tasks/Kill", CLEANUP_S, signal=signal.SIGKILL, **who)
            self._session.api.call("Tasks/Wait", CLEANUP_S, **who)
        with contextlib.suppress(InvocationFailed):
            self._session.api.call("Tasks/DeleteProcess", CLEANUP_S, **who)


@contextlib.contextmanager
def _outputs(home: Path) -> Iterator[dict[Path, int]]:
    """Yield two FIFOs with their descriptors for reading; afterwards they are removed."""
    folder = Path(tempfile.mkdtemp(prefix="fifo-", dir=home))
    opened: dict[Path, int] = {}
    try:
        for path in (folder / "stdout", folder / "stderr"):
            os.mkfifo(path, 0o600)
            opened[path] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        yield opened
    finally:
        for descriptor in opened.values():
            os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _read(descriptors: Iterable[int], end_s: float) -> str:
    """Read until the shim has closed all of them; a FIFO that nobody has opened yet is no end.

    Raises:
        InvocationTimeout: They are still open at ``end_s``.
    """
    poller, pieces, left = select.poll(), list[bytes](), set(descriptors)
    for descriptor in left:
        poller.register(descriptor, select.POLLIN)
    while left:
        ready = poller.poll(max(0.0, end_s - now_s()) * 1000)
        if not ready:
            msg = "the command did not end in time"
            raise InvocationTimeout(msg)
        for descriptor, _ in ready:
            if piece := os.read(descriptor, _PIECE):
                pieces.append(piece)
            else:
                poller.unregister(descriptor)
                left.discard(descriptor)
    return b"".join(pieces).decode(errors="replace")
