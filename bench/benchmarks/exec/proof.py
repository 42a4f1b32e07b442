"""Prove that a command runs in the instance and is the payload: look at one on the host while it runs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bench.core import proctable
from bench.core.clock import sleep_s
from bench.core.errors import EvidenceMismatch, InvocationFailed
from bench.engines.abilities import Commands, Finished
from bench.engines.base import Instance
from bench.engines.evidence import process
from bench.invocation import poke

_STAY_MS = (150, 600, 2400)
"""How long the command stays, in each try: on a busy host it may be over before it was looked for."""
_GAP_S = 0.005
_LIMIT_S = 30.0
_HIDDEN = "hidden from the host"


def evidence(commands: Commands, instance: Instance, number: int) -> dict[str, str]:
    """Run a command that stays for a moment, and return what the kernel says of it.

    Keys: ``command`` (the namespaces that it has in common with the instance's first process, ``all`` or a list; hidden with
    gVisor), ``command_cgroup`` (``same`` or ``other``).

    Raises:
        EvidenceMismatch: It is another program, or is in other namespaces.
    """
    own = poke.payloads(instance.pids())
    if not own:
        return {"command": _HIDDEN}
    for milliseconds in _STAY_MS:
        what = f"{number}:0:{milliseconds}"
        argv = [*commands.payload(instance), "--exec", what]
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(commands.run, instance, argv, _LIMIT_S)
            found = _watched(running, own[0], what)
            running.result()
        if found:
            return found
    msg = f"no process with the argument '{what}' was seen on the host"
    raise InvocationFailed(msg)


def _watched(running: Future[Finished], first: int, what: str) -> dict[str, str]:
    """Look for the command while it runs, and compare it with the instance's first process; nothing when it was not seen."""
    while not running.done():
        if (pid := _seen(first, what)) is not None:
            return _compared(pid, first)
        sleep_s(_GAP_S)
    return {}


def _seen(first: int, what: str) -> int | None:
    """Return the command's process, ``None`` before it runs: engines' own programs have its argument, too."""
    program = _program(first)
    return next((pid for pid in proctable.with_argument(what) if program and _program(pid) == program), None)


def _program(pid: int) -> str:
    return Path((process.arguments(pid) or [""])[0]).name


def _compared(pid: int, first: int) -> dict[str, str]:
    """Compare a command with the instance's first process; nothing when it has ended in the meantime."""
    try:
        mine, its, apart = process.of_process(pid), process.of_process(first), process.namespaces(pid, first)
    except (InvocationFailed, OSError):
        return {}
    if mine["payload"] != its["payload"]:
        raise EvidenceMismatch("command", its["payload"], mine["payload"])
    if apart:
        raise EvidenceMismatch("command", "the namespaces of the instance", f"others of its own: {' '.join(apart)}")
    return {"command": "in the namespaces of the instance", "command_cgroup": _same(mine["cgroup"], its["cgroup"])}


def _same(mine: str, its: str) -> str:
    return "same" if mine == its else "other"
