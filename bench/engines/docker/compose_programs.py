"""The clients that read compose files: docker-compose 1, Compose's plugin of ``docker``, podman-compose."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.engines.abilities import Finished
from bench.engines.projects import Project

_REMEDY = "run 'tare provision compose' as root"
_VERSION = re.compile(r"(?:version:? )?v?(\d+(?:\.\d+)+)")
_ASK_S = 30.0
_GROUPS = ("network", "volume", "pod", "image", "container")
"""Words of podman that are followed by what is asked of these things."""


@dataclass(frozen=True)
class Found:
    """A client that is installed.

    Attributes:
        argv: Begin of its command line.
        version: Its version.
    """

    argv: tuple[str, ...]
    version: str


class Program:
    """A client as a process."""

    def __init__(
        self, found: Found, name: str, project: Project, env: Mapping[str, str], log: Path | None = None
    ) -> None:
        self._argv = [*found.argv, "-f", str(project.file), "-p", project.name]
        self._version = f"{name} {found.version}"
        self._timeout_s = project.timeout_s
        self._env = proc.environment(env)
        self._log = log

    @property
    def commands(self) -> Sequence[str]:
        """What it has asked by processes of podman."""
        if self._log is None or not self._log.exists():
            return ()
        return [_asked(line.split()) for line in self._log.read_text(encoding="utf-8").splitlines()]

    def version(self) -> str:
        """Return the client's name and version."""
        return self._version

    def up(self) -> None:
        """Make and start everything, in the background."""
        self._run("up", "-d").check()

    def scale(self, service: str, count: int) -> None:
        """Run as many containers of a service."""
        self._run("up", "-d", "--scale", f"{service}={count}").check()

    def exec(self, service: str, argv: Sequence[str]) -> Finished:
        """Run a command in a service."""
        done = self._run("exec", "-T", service, *argv)
        return Finished(done.status if done.status >= 0 else 128 - done.status, done.stdout + done.stderr)

    def logs(self) -> str:
        """Return what all services have printed."""
        done = self._run("logs").check()
        return done.stdout + done.stderr

    def down(self) -> None:
        """Stop and remove everything."""
        self._run("down", "-v").check()

    def close(self) -> None:
        """Do nothing: every command is a process that has ended."""

    def _run(self, *words: str) -> proc.Completed:
        return proc.run([*self._argv, *words], timeout_s=self._timeout_s, env=self._env)


def compose(name: str, project: Project, socket: Path) -> Program:
    """Return docker-compose 1 (``v1``) or a later Compose (``v2``) that asks at a socket.

    It has an empty configuration of docker, with nothing of the user's own but plug-ins: Compose may be one of them.

    Raises:
        NotApplicable: It is not installed.
    """
    first = name == "v1"
    found = next((one for one in _composes() if one.version.startswith("1.") == first), None)
    if found is None:
        what = "docker-compose 1" if first else "Compose 2 or later"
        msg = f"{what} is not installed; {_REMEDY}, which installs it where the distribution has it"
        raise NotApplicable(msg)
    config = project.folder / "docker-config"
    config.mkdir(parents=True, exist_ok=True)
    plugins = Path(proc.environment().get("HOME", "/"), ".docker/cli-plugins")
    if plugins.is_dir() and not (config / plugins.name).exists():
        (config / plugins.name).symlink_to(plugins)
    return Program(found, "compose", project, {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(config)})


def podman_compose(project: Project, *, prefix: Sequence[str], run: Sequence[str], env: Mapping[str, str]) -> Program:
    """Return podman-compose, which starts podman once for each thing that it asks.

    Args:
        project: The project.
        prefix: Argv prefix that starts a program where the service runs.
        run: Further options of ``podman run``.
        env: Environment in which podman finds what the service has.

    Raises:
        NotApplicable: It is not installed.
    """
    found = _podman_compose()
    if found is None:
        msg = f"podman-compose is not installed; {_REMEDY}"
        raise NotApplicable(msg)
    project.folder.mkdir(parents=True, exist_ok=True)
    log, wrapper = project.folder / "commands", project.folder / "podman"
    program = proc.find("podman", "run 'tare provision podman' as root")
    wrapper.write_text(f'#!/bin/sh\necho "$1 $2" >>{shlex.quote(str(log))}\nexec {program} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    options = [f"--podman-path={wrapper}", *(f"--podman-run-args={word}" for word in run)]
    argv = Found((*prefix, *found.argv, *options), found.version)
    return Program(argv, "podman-compose", project, env, log)


@functools.cache
def _composes() -> tuple[Found, ...]:
    """Return the installed releases of Compose: the plugin of ``docker``, and the program of its own name."""
    tried = (_found("docker", ("compose",)), _found("docker-compose"))
    return tuple(one for one in tried if one)


@functools.cache
def _podman_compose() -> Found | None:
    return _found("podman-compose")


def _found(program: str, words: Sequence[str] = ()) -> Found | None:
    """Return a client that says its version, ``None`` when there is none."""
    try:
        argv = (proc.find(program, _REMEDY), *words)
        done = proc.run([*argv, "version"], timeout_s=_ASK_S)
    except (TargetUnavailable, InvocationFailed):
        return None
    said = next((line for line in done.stdout.splitlines() if "ompose" in line and _VERSION.search(line)), "")
    match = _VERSION.search(said)
    return Found(argv, match[1]) if done.status == 0 and match else None


def _asked(words: Sequence[str]) -> str:
    """Return what a command of podman asks for: its first word, or two where the first names a kind of thing."""
    return " ".join(words[:2]) if words[0] in _GROUPS else words[0]
