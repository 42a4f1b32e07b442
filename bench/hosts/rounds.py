"""Rounds of a fleet: in each, every host that is asked gets one request over Ansible's connection, and answers.

No connection and no process of Ansible has to live as long as a run does: between rounds there is nothing.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.core.errors import Interrupted, TareError
from bench.hosts import reasons, wheelhouse
from bench.hosts.ansible import OnEvent, PlayResult, play
from bench.hosts.records import Answer, Clock

EVERY = "*"
"""The key of the request that hosts without one of their own get."""

FORKS = 20
"""Hosts that are asked at the same time: each costs a process of Ansible here."""

INTERRUPTED = (
    "interrupted; hosts that measure go on, and 'tare fleet fetch' with the same inventory collects their runs"
)
"""What a user must know when the controller stops."""

_LONGEST_SOCKET = 60
"""Characters of the folder for ssh's sockets; their own names take the rest of what a socket's path may have."""

Request = Mapping[str, Any]


class Rounds:
    """The hosts of an inventory, and a folder in which what they send arrives.

    Args:
        inventory: An Ansible inventory.
        results: The results folder here, in which hosts' runs may be already.
        keeps: Whether the runs stay on the hosts, in the folder of their nights.
    """

    def __init__(self, inventory: Path, results: Path, *, keeps: bool) -> None:
        self._inventory = inventory
        self._results = results
        self._keeps = keeps
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Rounds:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tare-fleet-")))
        self._sockets = self._folder / "ssh"
        self._stack.callback(self._hang_up)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def arrived(self, host: str) -> Path:
        """Return the folder with the runs that arrived from a host."""
        return self._gathered / host

    @property
    def _gathered(self) -> Path:
        return self._folder / "gathered"

    def ask(
        self, requests: Mapping[str, Request], on_event: OnEvent = lambda _: None, *, begins: bool = False
    ) -> tuple[dict[str, Answer], PlayResult]:
        """Send each host its request; return host → answer, and Ansible's result. With ``begins`` Tare is installed first.

        Raises:
            UsageError: The inventory cannot be read or names no hosts.
            ProvisionError: Ansible is not installed, or it failed without naming a task.
            Interrupted: SIGINT or SIGTERM was received.
        """
        self._gathered.mkdir(exist_ok=True)
        for old in self._gathered.glob("*.json"):
            old.unlink()
        try:
            done = play(
                "fleet-begin.yml" if begins else "fleet.yml",
                self._inventory,
                self._variables(requests),
                on_event=on_event,
                options=self._options(requests),
                environment=self._environment(),
            )
        except Interrupted:
            raise Interrupted(INTERRUPTED) from None
        failures = {
            task.host: reasons.unreachable(task.message) if task.status == "unreachable" else task.message
            for task in done.failed
        }
        names = [name for name in sorted(done.hosts) if EVERY in requests or name in requests]
        return {name: _answer(self._gathered / f"{name}.json", failures.get(name, "")) for name in names}, done

    def _variables(self, requests: Mapping[str, Request]) -> dict[str, Any]:
        return {
            "fleet_requests": {host: dict(request) for host, request in requests.items()},
            "fleet_keeps": self._keeps,
            "fleet_results": str(self._results.absolute()),
            "fleet_gathered": str(self._gathered),
            **wheelhouse.variables(self._folder / "packed"),
        }

    def _options(self, requests: Mapping[str, Request]) -> dict[str, Any]:
        options: dict[str, Any] = {"forks": FORKS}
        if EVERY not in requests:
            chosen = self._folder / "hosts"
            chosen.write_text("".join(f"{host}\n" for host in requests), encoding="utf-8")
            options["limit"] = f"@{chosen}"
        return options

    def _environment(self) -> dict[str, str]:
        """Return the folder for ssh's sockets, so that the connections can be closed at the end."""
        return (
            {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._sockets)} if len(str(self._sockets)) <= _LONGEST_SOCKET else {}
        )

    def _hang_up(self) -> None:
        """End the ssh processes that keep connections open for the next round."""
        for socket in self._sockets.glob("*") if self._sockets.is_dir() else ():
            with contextlib.suppress(TareError):
                proc.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"], timeout_s=10)


def _answer(path: Path, failure: str) -> Answer:
    """Read what one host answered; without an answer, the failure says why."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Answer(failure=failure or "it gave no answer")
    clock = Clock(*said["clock"]) if said.get("clock") else None
    return Answer(said, clock=clock)
