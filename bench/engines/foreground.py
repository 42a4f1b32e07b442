"""Further commands that a program of the host runs in the foreground: it ends as the command did."""

from __future__ import annotations

from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.engines.abilities import Finished
from bench.engines.base import Instance


def finished(instance: Instance, done: proc.Completed) -> Finished:
    """Return how a command ended from the end of the program that ran it in an instance and ended as it did.

    Raises:
        InvocationFailed: The program failed and the instance has ended.
    """
    said = done.stdout + done.stderr
    if done.status != 0 and (why := instance.alive()):
        msg = f"a command cannot be run in '{instance.name}', {why}: {' '.join(said.split())[-300:]}"
        raise InvocationFailed(msg)
    return Finished(done.status if done.status >= 0 else 128 - done.status, said)
