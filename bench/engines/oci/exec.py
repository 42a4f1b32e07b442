"""Further commands in a container of an OCI runtime: ``runc exec``, which stays in the foreground until the command ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.core import proc
from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.foreground import finished
from bench.lab import images


class Commands:
    """Runs commands by the runtime's command line; ``argv`` returns the begin of it for a container's name."""

    def __init__(self, argv: Callable[[str], list[str]]) -> None:
        self._argv = argv

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the payload's command line."""
        return [images.PAYLOAD, "--events", f"unix:{images.EVENTS}"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command and return when the runtime has ended, which it does as the command did."""
        return finished(instance, proc.run([*self._argv(instance.name), *argv], timeout_s=timeout_s))
