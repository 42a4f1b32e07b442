"""A fleet without Ansible: the real action and the real agent, each host a folder, its Tare a script."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from bench.hosts import ansible
from bench.hosts.ansible import PlayResult
from bench.hosts.tasks import HostCounts, TaskEvent


def load(path: str) -> ModuleType:
    """Import a file of ``provisioning/``."""
    found = ansible.playbook_dir() / path
    spec = importlib.util.spec_from_file_location(found.stem, found)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(path: Path, *runs: Path, code: int = 0, says: str = "", first: str = "") -> Path:
    """Write a program in the place of Tare: it copies runs into its results folder, says something and ends."""
    copies = "".join(f'cp -r {run} "$results/"\n' for run in runs)
    path.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "tare, version 0.0.9"; exit; }\n'
        f'for word; do results=$word; done\necho "$*" > {path}.words\n'
        f'mkdir -p "$results"\n{first}\n{copies}echo "{says}" >&2\nexit {code}\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


class Hosts:
    """Hosts by name, and a stand-in for :func:`bench.hosts.ansible.play`.

    Attributes:
        programs: Host → the program in the place of its Tare.
        unreachable: Hosts that Ansible cannot reach, with its message.
        before: Called with the number of a round before it.
        spoiled: Host → how many of its answers with parts of files arrive damaged.
        rounds: Requests that were sent, a mapping of host to verb each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: dict[str, Path] = {}
        self.unreachable: dict[str, str] = {}
        self.before: Callable[[int], None] = lambda _: None
        self.spoiled: dict[str, int] = {}
        self.rounds: list[dict[str, str]] = []
        self.given: Mapping[str, Any] = {}
        self._agent = load("files/fleet_agent.py")
        self.action = load("action_plugins/tare_fleet.py")
        self._children: list[subprocess.Popen[bytes]] = []
        vars(self._agent)["subprocess"] = SimpleNamespace(**{**vars(subprocess), "Popen": self._start})

    def _start(self, *arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        """Start what the agent starts, which outlives the agent on a real host."""
        self._children.append(subprocess.Popen(*arguments, **more))
        return self._children[-1]

    def close(self) -> None:
        """End and reap what was started."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def place(self, host: str) -> Path:
        """Return the folder in which a host keeps its runs until they are fetched."""
        return self.folder / host / "place"

    def nights(self, host: str) -> Path:
        """Return the folder of a host's nights."""
        return self.folder / host / "nights"

    def play(self, name: str, inventory: Path, variables: Mapping[str, Any], **more: Any) -> PlayResult:
        """Send each host its request; do what the playbook's variables and the action do."""
        requests, self.given = variables["fleet_requests"], variables
        limit = more.get("options", {}).get("limit", "")
        asked = Path(limit.removeprefix("@")).read_text().split() if limit else list(self.programs)
        self.before(len(self.rounds))
        self.rounds.append({host: (requests.get(host) or requests["*"])["verb"] for host in asked})
        failed = []
        for host in asked:
            if host in self.unreachable:
                failed.append(TaskEvent(host, "", "Ask", "unreachable", self.unreachable[host]))
                continue
            request = {**(requests.get(host) or requests["*"]), **self._variables(host, variables)}
            request["words"] = [*request.get("words", ()), "--tag", f"fleet.host={host}"]
            self._ask(host, request, Path(variables["fleet_gathered"]))
        log = self.folder / "log"
        log.write_text("")
        return PlayResult({host: HostCounts() for host in asked}, tuple(failed), log)

    def _variables(self, host: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "host": host,
            "place": str(self.place(host)),
            "program": str(self.programs[host]),
            "home": str(self.nights(host)) if variables["fleet_keeps"] else "",
            "env": {},
            "results": variables["fleet_results"],
        }

    def _ask(self, host: str, request: dict[str, Any], gathered: Path) -> None:
        def ask(one: Mapping[str, Any]) -> dict[str, Any]:
            try:
                answer: dict[str, Any] = self._agent.VERBS[one["verb"]](json.loads(json.dumps(one)))
            except (self._agent.Refused, OSError) as error:
                return {"error": str(error)}
            if one["verb"] == "read" and self.spoiled.get(host):
                self.spoiled[host] -= 1
                answer["parts"] = [[path, at, "AAAA"] for path, at, _ in answer["parts"]]
            return answer

        answer = self.action.converse(ask, request, gathered / host)
        (gathered / f"{host}.json").write_text(json.dumps({**answer, "clock": [0.0, 0.01]}))
