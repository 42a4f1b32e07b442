"""Docker over its HTTP API by the SDK's low-level client: create and start are one request each over one connection.

What Docker does by default stays as it is: a bridge network, its system call filter, a ``json-file`` log (the payload
prints nothing), no init process. Nothing is ever pulled.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Literal

import requests
from docker.errors import APIError, NotFound

from bench.engines import _docker_api, _evidence, _trial
from bench.engines.base import Instance, Job
from bench.errors import InvocationFailed, LabError, TargetUnavailable
from bench.lab import Lab, images
from bench.model import Facts, Phase, Target

_GRACE_S = 10
_CLEANUP_S = 30.0
_PARTS = ("containerd", "runc")
_ENDED = ("exited", "dead", "removing")


class Docker:
    """A Docker daemon with one storage driver, and containers of it with one network mode and OCI runtime."""

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._network = target.options.get("network", "bridge")
        self._storage = target.options.get("storage", "overlay2")
        self._runtime = target.options.get("runtime", "runc")
        self._endpoint = target.options.get("endpoint", "lab")

    def prepare(self) -> Facts:
        """Load the image and prove by one trial that the payload runs."""
        try:
            with self._asked("set-up"):
                info, version = self._set_up()
        except (LabError, InvocationFailed) as error:
            reason = f"no Docker with storage driver {self._storage}: {error}"
            raise TargetUnavailable(reason, "see what it says; 'tare doctor' tries again") from error
        _trial.run(self, self._lab)
        parts = {part["Name"]: part["Version"] for part in version["Components"] if part["Name"] in _PARTS}
        own = {"docker": version["Version"], "api": self._client.api_version, "image": self._image}
        settings = {"storage": info["Driver"], "cgroup_driver": info["CgroupDriver"]}
        return Facts({**parts, **own, **settings}, frozenset({"docker", *parts}))

    def _set_up(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if not hasattr(self, "_client"):
            system = self._endpoint == "system"
            url = _docker_api.system_url() if system else f"unix://{self._lab.daemons.docker(self._storage)}"
            self._client = _docker_api.connect(url)
            self._at_end(self._client.close)
        info = self._client.info()
        if "storage" in self.target.options and info["Driver"] != self._storage:
            msg = f"this Docker uses storage driver {info['Driver']}, not {self._storage}"
            raise TargetUnavailable(msg, "leave out endpoint=system, or change its daemon.json")
        self._image, loaded = _docker_api.load(self._client, images.image(self._lab.paths.state))
        if loaded and self._endpoint == "system":
            self._at_end(lambda: self._client.remove_image(self._image, force=True))
        return info, self._client.version()

    def create(self, job: Job) -> Instance:
        """Create the container."""
        self._lab.journal.add("container" if self._endpoint == "system" else "docker", name=job.name)
        self._client.timeout = job.timeout_s
        with self._asked("create"):
            settings = self._client.create_host_config(
                binds=[f"{job.events}:{images.EVENTS}"],
                mem_limit=job.memory_bytes,
                nano_cpus=job.cpus * 10**9,
                network_mode=self._network,
                runtime=self._runtime,
                init=False,
            )
            command = ["--events", f"unix:{images.EVENTS}", *job.arguments]
            who = {"name": job.name, "hostname": job.name}
            made = self._client.create_container(self._image, command, host_config=settings, **who)
        handle = {"id": made["Id"], "pid": 0}
        return Instance(job.name, lambda: self._pids(handle), lambda: self._why_ended(handle), handle)

    def start(self, instance: Instance) -> None:
        """Start the container."""
        with self._asked("start"):
            self._client.start(instance.handle["id"])

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read what the kernel says of the container's process and its shim, beside what Docker has recorded."""
        said = self._inspect(instance.handle["id"])
        pid = int(said["State"]["Pid"])
        daemons = self._lab.daemons.running if self._endpoint == "lab" else {}
        daemon = daemons.get(f"dockerd-{self._storage}")
        found = _evidence.of_process(pid, daemon.pid if daemon else 1) | _evidence.of_shim(pid)
        if found["network"] == "private":  # the kernel does not tell a bridge from other ways out of a namespace
            mode = said["HostConfig"]["NetworkMode"]
            found["network"] = {"default": "bridge", "host": "private", "none": "private"}.get(mode, mode)
        return found | {"storage": _evidence.storage(found["root_fs"], said["GraphDriver"]["Name"])}

    def stop(self, instance: Instance) -> None:
        """End the container with SIGTERM, SIGKILL after the grace, and wait for its end."""
        with self._asked("stop"):
            self._client.stop(instance.handle["id"], timeout=_GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the container, also when it runs; wait when somebody does that already."""
        self._client.timeout = _CLEANUP_S
        with self._asked("remove"), contextlib.suppress(NotFound):
            try:
                self._client.remove_container(name, force=True, v=True)
            except APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                self._client.wait(name, timeout=_CLEANUP_S, condition="removed")

    def _pids(self, handle: dict[str, Any]) -> set[int]:
        handle["pid"] = handle["pid"] or int(self._inspect(handle["id"])["State"]["Pid"])  # not before it was started
        return _evidence.shim_family(handle["pid"]) if handle["pid"] else set()

    def _why_ended(self, handle: dict[str, Any]) -> str | None:
        if handle["pid"] and _evidence.runs(handle["pid"]):
            return None
        try:
            state = self._inspect(handle["id"])["State"]
        except InvocationFailed as error:
            return str(error)
        handle["pid"] = int(state["Pid"])
        if state["Status"] not in _ENDED:
            return None
        return f"the container ended with {_evidence.describe_exit(int(state['ExitCode']))} {state['Error']}".rstrip()

    def _inspect(self, name: str) -> dict[str, Any]:
        with self._asked("inspect"):
            return dict(self._client.inspect_container(name))

    def _asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return _docker_api.asked(verb, self._lab.daemons.dead if self._endpoint == "lab" else dict)

    def _at_end(self, callback: Callable[[], object]) -> None:
        """Have it called when the lab closes; an unprivileged lab has no daemons, there it is when it is forgotten."""
        try:
            self._lab.daemons.clients.callback(callback)
        except TargetUnavailable:
            weakref.finalize(self._lab, callback)
