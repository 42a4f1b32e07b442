"""Ansible's action ``tare_fleet``: ask the agent on a host (``files/fleet_agent.py``), and copy a run file by file, by digest.

The answer goes to a file of this controller, never into Ansible's output: a run has thousands of files.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shlex
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

MARK = "TARE-FLEET "
NOT_ROOT = "TARE-FLEET-NOT-ROOT"
PART_BYTES = 8 << 20
LIMIT_BYTES = 8 << 20
ATTEMPTS = 3
"""Times that a file is fetched before its digest is given up."""

RECORD = "fleet.json"
"""The file in a fetched run's folder that says where it came from, and what its files' digests were there."""

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]


class ActionModule(ActionBase):  # type: ignore[misc, unused-ignore] # Ansible ships no types
    """The action: ``request`` for the agent; ``answer``, the file that the answer is written to; ``into``, where runs go."""

    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the agent; the request ``collect`` asks for the state, and for the files once the run has ended."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = self._task.args
        variables = task_vars or {}
        conversation = _Conversation(self, variables.get("ansible_python_interpreter"), Path(given["agent"]))
        answer = converse(conversation.ask, dict(given["request"]), Path(given["into"]))
        answer["clock"] = conversation.clock
        Path(given["answer"]).write_text(json.dumps(answer), encoding="utf-8")
        return result | {"changed": given["request"]["verb"] in ("begin", "clean")}


class _Conversation:
    """Requests to one host over Ansible's connection, and the offset of its clock from this one's."""

    def __init__(self, action: Any, interpreter: object, agent: Path) -> None:
        self._action = action
        self._source = agent.read_bytes()
        self._interpreter = str(interpreter or "")
        self._becomes = not action._connection.become  # nothing to become: run as whoever has logged in
        self.clock: list[float] | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send the agent with a request, as root by Ansible's means if another user has logged in; return its answer.

        Raises:
            AnsibleActionFail: It gave none.
        """
        program = self._source + f"\nmain(json.loads({json.dumps(json.dumps(request))}))\n".encode()
        line = command(self._interpreter, always=self._becomes)
        sent = time.time()
        done = self._action._low_level_execute_command(line, in_data=program, sudoable=self._becomes)
        received = time.time()
        if not self._becomes and NOT_ROOT in done["stdout"]:
            self._becomes = True
            return self.ask(request)
        return self._read(done, sent, received)

    def _read(self, done: Mapping[str, Any], sent: float, received: float) -> dict[str, Any]:
        for line in done["stdout"].splitlines():
            if line.startswith(MARK):
                answer: dict[str, Any] = json.loads(line[len(MARK) :])
                self._note_clock(sent, answer["clock"], received)
                return answer
        said = (done.get("stderr") or done["stdout"]).strip().splitlines()[-1:]
        msg = said[0] if said else f"the host's Python gave no answer and ended with {done['rc']}"
        raise AnsibleActionFail(msg)

    def _note_clock(self, sent: float, there: list[float], received: float) -> None:
        """Keep the offset with the smallest error so far (four time stamps, as in RFC 5905, section 8)."""
        error = ((received - sent) - (there[1] - there[0])) / 2
        if self.clock is None or error < self.clock[1]:
            self.clock = [((there[0] - sent) + (there[1] - received)) / 2, error]


def command(interpreter: str, *, always: bool) -> str:
    """Return the shell command that runs a program from standard input in the host's Python, or says that it is not root."""
    given = interpreter and not interpreter.startswith("auto")
    python = shlex.quote(interpreter) if given else '"$(command -v python3 || echo /usr/libexec/platform-python)"'
    run = f"exec {python} -I -S -"
    return run if always else f'if [ "$(id -u)" = 0 ]; then {run}; else cat >/dev/null; echo {NOT_ROOT}; fi'


def converse(ask: Ask, request: dict[str, Any], into: Path) -> dict[str, Any]:
    """Return the answer to a request; scenario files are sent with it, and a run that has ended is copied to ``into``."""
    if request["verb"] == "begin":
        request["files"] = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in request["files"]}
    if request["verb"] != "collect":
        return ask(request)
    answer = ask({"verb": "state", "folder": request["folder"]})
    if "runs" in answer:
        answer |= {"here": [], "wrong": {}}
        for name, files in answer["runs"].items():
            if Path(name).name != name or name == "..":
                answer["wrong"][name] = [name]  # only a host that means harm names another folder
            elif is_here(Path(request["results"]) / name, files):
                answer["here"].append(name)
            elif wrong := copy(ask, f"{answer['results']}/{name}", files, into / name):
                answer["wrong"][name] = wrong
    return answer


def is_here(folder: Path, files: Mapping[str, list[Any]]) -> bool:
    """Say whether a run was fetched before: its record of digests is that of the files on the host."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("files") == files


def copy(ask: Ask, root: str, files: Mapping[str, list[Any]], into: Path) -> list[str]:
    """Copy files; return those whose digest is still another one after all attempts."""
    if strange := [name for name in files if Path(name).is_absolute() or ".." in Path(name).parts]:
        return strange  # only a host that means harm names files outside the run
    left = dict(files)
    for _ in range(ATTEMPTS):
        for name in left:
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        _read(ask, root, {name: size for name, (size, _) in left.items()}, into)
        left = {name: found for name, found in left.items() if digest(into / name) != found}
        if not left:
            break
    return sorted(left)


def _read(ask: Ask, root: str, sizes: Mapping[str, int], into: Path) -> None:
    wanted = [[name, at] for name, size in sizes.items() for at in range(0, size, PART_BYTES)]
    while wanted:
        request = {"verb": "read", "root": root, "wanted": wanted[:2000], "part": PART_BYTES, "limit": LIMIT_BYTES}
        answer = ask(request)
        if not (parts := answer.get("parts")):
            return  # the digests tell what is missing
        for name, at, packed in parts:
            with contextlib.suppress(ValueError, zlib.error), (into / name).open("r+b") as file:
                file.seek(at)
                file.write(zlib.decompress(base64.b64decode(packed)))
        wanted = wanted[len(parts) :]


def digest(path: Path) -> list[Any]:
    """Return size and SHA-256 of a file."""
    whole, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            whole.update(part)
            size += len(part)
    return [size, whole.hexdigest()]
