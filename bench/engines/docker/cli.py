"""Docker's verbs through its command line: a layer of the stack on top of the API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.engines.base import InstanceSpec
from bench.engines.docker import health_config as health
from bench.engines.docker import spec_settings
from bench.engines.docker.api import ContainerConfig, Verbs

_OPTIONS = {
    "mem_limit": "--memory",
    "memswap_limit": "--memory-swap",
    "mem_reservation": "--memory-reservation",
    "nano_cpus": "--cpus",
    "cpu_shares": "--cpu-shares",
    "cpuset_cpus": "--cpuset-cpus",
    "pids_limit": "--pids-limit",
    "device_read_bps": "--device-read-bps",
    "device_write_bps": "--device-write-bps",
}
"""The API's name of a limit → the command line's (docker-create(1))."""


class Commands:
    """The verbs as processes of ``docker``, with an empty configuration: nothing of the user's own."""

    name = "cli"

    def __init__(self, url: str, folder: Path, requests: Verbs, program: str) -> None:
        folder.mkdir(exist_ok=True)
        self._base = [program, "--config", str(folder), "--host", url]
        self._requests = requests

    def version(self) -> str:
        """Return the version of the command line's program."""
        return proc.run([*self._base, "version", "--format", "{{.Client.Version}}"], timeout_s=30).stdout.strip()

    def create(self, spec: InstanceSpec, config: ContainerConfig) -> str:
        """Create a container and return its id."""
        return self._run(spec.timeout_s, "create", *arguments(spec, config))

    def start(self, container: str, timeout_s: float) -> None:
        """Start it."""
        self._run(timeout_s, "start", container)

    def stop(self, container: str, grace_s: int, timeout_s: float) -> None:
        """End it with SIGTERM, SIGKILL after the grace, and wait for its end."""
        self._run(timeout_s + grace_s, "stop", "-t", str(grace_s), container)

    def remove(self, name: str, timeout_s: float) -> None:
        """Remove it, also when it runs; wait when that is being done already, succeed when it is gone."""
        try:
            self._run(timeout_s, "rm", "--force", "--volumes", name)
        except InvocationFailed as error:
            if "already in progress" in str(error):
                self._requests.remove(name, timeout_s)
            elif "No such container" not in str(error):
                raise

    def exec(self, container: str, argv: Sequence[str], timeout_s: float) -> proc.Completed:
        """Run a command in a container; it ends as the command did."""
        return proc.run([*self._base, "exec", container, *argv], timeout_s=timeout_s)

    def _run(self, timeout_s: float, *arguments: str) -> str:
        done = proc.run([*self._base, *arguments], timeout_s=timeout_s)
        if done.status != 0:
            said = "; ".join(done.stderr.strip().splitlines()) or "it said nothing"
            msg = f"'docker {arguments[0]}' ended with {proc.describe_status(done.status)}: {said[-500:]}"
            raise InvocationFailed(msg)
        return done.stdout.strip()


def arguments(spec: InstanceSpec, config: ContainerConfig) -> list[str]:
    """Return what follows ``docker create``."""
    limits = [word for name, value in spec_settings.limits(spec).items() for word in _limit(name, value)]
    binds = [word for bind in spec_settings.binds(spec) for word in ("--volume", bind)]
    memory = spec_settings.memory(spec).items()
    binds += [word for path, options in memory for word in ("--tmpfs", f"{path}:{options}" if options else path)]
    ports = [f"{address}:{number}:{port}" for port, (address, number) in config.ports.items()]
    binds += [word for port in ports for word in ("--publish", port)]
    where = ["--network", config.network, *(("--runtime", config.runtime) if config.runtime else ())]
    if config.log:
        options = [word for name, value in config.log.options.items() for word in ("--log-opt", f"{name}={value}")]
        where += ["--log-driver", config.log.type, *options]
    where += ["--restart", spec.restart.text] if spec.restart else []
    who = ["--name", spec.name, "--hostname", spec.name, *(health.options(spec.health) if spec.health else ())]
    return ["--pull", "never", *who, *where, *limits, *binds, config.image, *spec_settings.command(spec)]


def _limit(name: str, value: Any) -> list[str]:
    if name == "nano_cpus":
        return [_OPTIONS[name], f"{value / 10**9:.9f}"]
    if isinstance(value, list):
        return [word for rate in value for word in (_OPTIONS[name], f"{rate['Path']}:{rate['Rate']}")]
    return [_OPTIONS[name], str(value)]
