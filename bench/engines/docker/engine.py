"""Docker over its HTTP API by the SDK's low-level client: create and start are one request each over one connection.

What Docker does by default stays as it is: a bridge network, its system call filter, a ``json-file`` log (the payload
prints nothing), no init process. Nothing is ever pulled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Literal

from docker.errors import NotFound

from bench.core import proctable
from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import trial
from bench.engines.base import Bind, Instance, InstanceSpec, NetworkPath
from bench.engines.docker import api, cli, networks, settings, user_network
from bench.engines.docker import images as _docker_images
from bench.engines.docker.api import ContainerConfig, Requests, Verbs
from bench.engines.docker.daemon import dockerd_name, start_dockerd
from bench.engines.evidence import daemon as _daemon
from bench.engines.evidence import gvisor, process
from bench.engines.evidence import mounts as _mounts
from bench.lab import Lab, images, network
from bench.lab.images import Image
from bench.lab.usage import Store

_GRACE_S = 10
_CLEANUP_S = 30.0
_ENDED = ("exited", "stopped", "dead", "removing")  # Podman says "stopped" of what ended by itself


class Docker:
    """A Docker daemon with one storage driver, and containers of it with one network mode and OCI runtime.

    Its program and some of its settings may be a user's (``bin``, ``config``).
    """

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "datagram"
    who = "Docker"
    default_storage = "overlay2"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._network = target.options.get("network", "bridge")
        self._storage = target.options.get("storage", self.default_storage)
        self._runtime = target.options.get("runtime", "runc")
        self._system = target.options.get("endpoint", "lab") == "system"
        self._variant = settings.build(target)
        special = self._network in networks.MODES
        self._special = networks.Mode(self._network, lab, self._storage, self._variant) if special else None
        self._created: set[str] = set()  # in the user's daemon
        self._volumes: set[str] = set()  # in the user's daemon
        self._loaded = False  # into the user's daemon

    def prepare(self) -> Facts:
        """Load the image and prove by one trial that the payload runs."""
        try:
            with self._asked("set-up"):
                self._connect()
                image = images.image(self._lab.paths.state)
                self._image = api.present(self._client, image) or self._load(image)
                facts = api.facts(self._client, self._image, self.who.lower())
        except (LabError, InvocationFailed) as error:
            reason = f"'{self.target.text}' cannot be set up: {error}"
            raise TargetUnavailable(reason, _docker_images.remedy(self.target)) from error
        self._driver = facts.values["storage"]
        if self.target.options.get("storage", self._driver) != self._driver:
            msg = f"this Docker uses storage driver {self._driver}, not {self._storage}"
            raise TargetUnavailable(msg, "leave out endpoint=system, or change its daemon.json")
        trial.run(self, self._lab)
        if not self._system:
            facts = Facts({**facts.values, **_daemon.facts(self._daemon_pid, self._variant)}, facts.epoch)
        if isinstance(self._verbs, cli.Commands):
            version = self._verbs.version()
            return Facts({**facts.values, "docker_cli": version}, facts.epoch | {"docker_cli"})
        return facts

    def box(self) -> ContainerConfig:
        """Return how containers are made here."""
        own_gvisor = self._runtime == "runsc" and not self._system  # the lab's daemons know it once a network mode
        runtime = f"runsc-{self._network}" if own_gvisor else self._runtime
        return ContainerConfig(self._image, self.mode, runtime, ports=self._special.ports if self._special else {})

    @property
    def mode(self) -> str:
        """The network mode as the daemon calls it."""
        if self._special:
            return self._special.network
        return user_network.NAME if self._network == "user" else self._network

    def socket(self) -> str:
        """Start the daemon, unless it is the user's own, and return its URL."""
        if self._system:
            return api.system_url()
        if self._special:
            return f"unix://{self._special.socket()}"
        return f"unix://{start_dockerd(self._lab, self._storage, build=self._variant)}"

    @property
    def daemon(self) -> str:
        """Name of the daemon among the lab's."""
        return self._special.daemon if self._special else dockerd_name(self._storage, build=self._variant)

    @property
    def _daemon_pid(self) -> int:
        return self._lab.daemons.running[self.daemon].pid

    def _connect(self) -> None:
        if not hasattr(self, "_client"):
            url = self.socket()
            self._client = api.connect(url)
            self._shelf = _docker_images.ImageStore(self._client, self._asked)
            self._at_end(self._client.close)
            self._at_end(self._leave)
            self._verbs: Verbs = Requests(self._client)
            if self._network == "user" or self._special:
                self._make_network()
            if self.target.options.get("client") == "cli":
                client = self._variant.find("docker", "run 'tare provision docker' as root")
                self._verbs = cli.Commands(url, self._lab.paths.run / "docker-cli", self._verbs, client)

    def _load(self, image: images.Image) -> str:
        if self._system:
            self._lab.journal.add("image", name=images.IMAGE)
            self._loaded = True
        return api.load(self._client, image)

    def _make_network(self) -> None:
        if self._system:
            msg = "a network of one's own is made in the lab's daemons only, not in the user's"
            raise TargetUnavailable(msg, "leave out endpoint=system")
        if self._special:
            self._special.make(self._client)
        else:
            user_network.make(self._client)

    def way(self, instance: Instance | None) -> NetworkPath:
        """Return how instances and the far end of a network workload reach each other."""
        if self._special:
            return self._special.way()
        if self._network == "none":
            return NetworkPath("inside", "127.0.0.1")
        return NetworkPath("peer", network.PEER_ADDRESS)

    def _leave(self) -> None:
        """Remove from the user's daemon what is ours."""
        for name in list(self._created):
            self.delete(name)
        for volume in list(self._volumes):
            self._discard(volume)
        if self._system:
            self._shelf.clear()
        if self._loaded:
            with self._asked("image removal"):
                self._client.remove_image(images.IMAGE, force=True)

    def hold(self, image: Image) -> None:
        """Load an image, so that a job may name it."""
        if self._system:
            self._lab.journal.add("image", name=image.name)
        self._shelf.hold(image)

    def release(self, image: Image) -> None:
        """Remove an image that was held."""
        self._shelf.release(image)

    def discard(self, bind: Bind) -> None:
        """Remove the volume that was made for a bind."""
        self._discard(bind.source.name)

    def _discard(self, volume: str) -> None:
        with self._asked("volume removal"), contextlib.suppress(NotFound):
            self._client.remove_volume(volume)
        self._volumes.discard(volume)

    def store(self) -> Store:
        """Return where the storage driver keeps layers and what containers write."""
        with self._asked("info"):
            return _docker_images.store(self._client, () if self._system else self._lab.daemons.disks.mounts)

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the container."""
        if self._system:  # what is in the lab's daemon goes with the lab
            self._lab.journal.add("container", name=spec.name)
            self._created.add(spec.name)
            for volume in (bind.source.name for bind in spec.binds if bind.kind == "volume"):
                self._lab.journal.add("volume", name=volume)
                self._volumes.add(volume)
        box = self.box()
        box = dataclasses.replace(box, image=self._shelf.id_of(spec) or box.image)
        with self._asked("create"):
            handle = {"id": self._verbs.create(spec, box), "pid": 0, "timeout_s": spec.timeout_s}
        handle["binds"] = spec.binds
        return Instance(spec.name, lambda: self._pids(handle), lambda: self._why_ended(handle), handle)

    def start(self, instance: Instance) -> None:
        """Start the container."""
        with self._asked("start"):
            self._verbs.start(instance.handle["id"], instance.handle["timeout_s"])

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read what the kernel says of the container's process and its shim, beside what the daemon has recorded.

        ``client`` is who was asked: nothing of a container tells it.
        """
        said = self._inspect(instance.handle["id"])
        pid, driver = int(said["State"]["Pid"]), said.get("GraphDriver", {}).get("Name", self._driver)
        lab = None if self._system else self._daemon_pid
        found = process.of_process(pid, lab or "thread-self") | process.of_monitor(pid)
        found["network"] = api.network(found["network"], said["HostConfig"]["NetworkMode"])
        if self._network == "user":
            with self._asked("network inspection"):
                found |= user_network.evidence(self._client, self._lab, pid)
        elif self._special and lab:
            with self._asked("network inspection"):
                found |= self._special.evidence(self._client, said, lab)
        if self._runtime == "runsc":
            found |= gvisor.below_shim(pid)
        else:  # what a sandbox mounts is gVisor's own affair, the kernel knows nothing of it
            found |= _mounts.evidence(pid, instance.handle["binds"])
        found["storage"] = process.storage(found["root_fs"], driver, process.root_device(pid))
        return found | {"client": self._verbs.name} | (self._maker(said, lab) if lab else {})

    def _maker(self, said: Mapping[str, Any], daemon: int) -> dict[str, str]:
        """Return what the daemon is and, with settings of a user's, which of them are in force."""
        found = _daemon.program(daemon, self._variant)
        if self._variant.config:
            with self._asked("info"):
                pid = None if self._runtime == "runsc" else int(said["State"]["Pid"])
                found |= settings.in_force(self._variant, settings.Live(said, self._client.info(), pid))
        return found

    def stop(self, instance: Instance) -> None:
        """End the container with SIGTERM, SIGKILL after the grace, and wait for its end."""
        with self._asked("stop"):
            self._verbs.stop(instance.handle["id"], _GRACE_S, _CLEANUP_S)

    def delete(self, name: str) -> None:
        """Remove the container, also when it runs; wait when somebody does that already."""
        with self._asked("remove"):
            self._verbs.remove(name, _CLEANUP_S)
        self._created.discard(name)

    def _pids(self, handle: dict[str, Any]) -> set[int]:
        with contextlib.suppress(InvocationFailed):  # it is gone
            handle["pid"] = handle["pid"] or int(self._inspect(handle["id"])["State"]["Pid"])  # 0 before it was started
            if handle["pid"] and self._storage == "fuse-overlayfs" and "mount" not in handle:
                handle["mount"] = self._inspect(handle["id"])["GraphDriver"]["Data"]["MergedDir"]
        whole = gvisor.family if self._runtime == "runsc" else process.shim_family
        found = whole(handle["pid"]) if handle["pid"] else set()
        return found | (proctable.with_argument(handle["mount"]) if found and "mount" in handle else set())

    def _why_ended(self, handle: dict[str, Any]) -> str | None:
        if handle["pid"] and process.runs(handle["pid"]):
            return None
        try:
            state = self._inspect(handle["id"])["State"]
        except InvocationFailed as error:
            return str(error)
        handle["pid"] = int(state["Pid"])
        if state["Status"] not in _ENDED:
            return None
        return f"the container ended with {process.describe_exit(int(state['ExitCode']))} {state['Error']}".rstrip()

    def _inspect(self, name: str) -> dict[str, Any]:
        with self._asked("inspect"):
            return dict(self._client.inspect_container(name))

    def _asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return api.asked(verb, dict if self._system else self._lab.daemons.dead, self.who)

    def _at_end(self, callback: Callable[[], object]) -> None:
        """Have it called when the lab closes; an unprivileged lab has no daemons, there it is when it is forgotten."""
        try:
            self._lab.daemons.clients.callback(callback)
        except TargetUnavailable:
            weakref.finalize(self._lab, callback)
