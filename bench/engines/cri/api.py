"""Requests to a runtime by the Container Runtime Interface, version 1, and what its answers say."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.core.errors import NotApplicable
from bench.core.model import Target
from bench.engines import oci_spec
from bench.engines.base import InstanceSpec
from bench.engines.cri.messages import CALLS, TYPES
from bench.engines.evidence import mounts, process
from bench.engines.grpc import Connection, Message, NotFoundError, UnimplementedError
from bench.lab import images

NAME_LABEL = "tare.instance"
"""Label of a pod and of its container with the instance's name, by which they are found again."""
NAMESPACE = "tare"
"""Kubernetes namespace of the pods."""
POD, CONTAINER, NODE = 0, 1, 2
"""``NamespaceMode``."""
EXITED = 2
"""``ContainerState``."""
_RUNC_SHIM = "io.containerd.runc."
"""Begin of the type of runtimes that take runc's options."""
_UNCONFINED = 1
"""``SecurityProfile.ProfileType``: what a kubelet sends for a pod that asks for no system call filter."""


class Api(Connection):
    """A persistent connection to one CRI runtime, called in messages by the name that it reports."""

    def __init__(self, path: Path | str, dead: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__("the CRI runtime", path, TYPES, CALLS, dead=dead)

    def version(self, timeout_s: float) -> Message:
        """Return ``VersionResponse``."""
        found = self.call("Version", timeout_s, version="v1")
        self.who = str(found.runtime_name) or self.who
        return found

    def image_id(self, name: str, timeout_s: float) -> str:
        """Return the id of an image, empty when the runtime has none of that name: CRI then answers without an image."""
        try:
            return str(self.call("ImageStatus", timeout_s, image=image(name)).image.id)
        except NotFoundError:  # … and this is how some servers say it
            return ""

    def cgroup_driver(self, status: Message, handler: str, timeout_s: float) -> str:
        """Return ``systemd`` or ``cgroupfs``; ``unknown`` from a runtime that does not say.

        containerd chooses it for each runtime handler, and its verbose ``StatusResponse`` has its configuration. Others answer
        the call ``RuntimeConfig``, which runtimes before 2023 do not have.
        """
        if said := driver_of(status.info, handler):
            return said
        try:
            found = self.call("RuntimeConfig", timeout_s)
        except UnimplementedError:
            return "unknown"
        return ("systemd", "cgroupfs")[found.linux.cgroup_driver] if found.HasField("linux") else "unknown"

    def pods(self, name: str, timeout_s: float) -> list[str]:
        """Return the ids of the pods of an instance."""
        chosen = TYPES["PodSandboxFilter"](label_selector={NAME_LABEL: name})
        return [str(pod.id) for pod in self.call("ListPodSandbox", timeout_s, filter=chosen).items]

    def remove(self, name: str, timeout_s: float) -> bool:
        """Remove the pods of an instance with their containers; return whether there were any."""
        pods = self.pods(name, timeout_s)
        for pod in pods:
            self.ask("StopPodSandbox", timeout_s, pod_sandbox_id=pod)
            chosen = TYPES["ContainerFilter"](pod_sandbox_id=pod)
            for container in self.call("ListContainers", timeout_s, filter=chosen).containers:
                self.ask("RemoveContainer", timeout_s, container_id=container.id)
            self.ask("RemovePodSandbox", timeout_s, pod_sandbox_id=pod)
        return bool(pods)

    def ask(self, name: str, timeout_s: float, /, **fields: Any) -> None:
        """Make a call about an object that may be gone."""
        with contextlib.suppress(NotFoundError):
            self.call(name, timeout_s, **fields)


def image(name: str, requested: str = "") -> Message:
    """Return an ``ImageSpec``; ``requested`` is the name under which signatures are looked up when ``name`` is an id."""
    return TYPES["ImageSpec"](image=name, user_specified_image=requested)


def driver_of(info: Mapping[str, str], handler: str) -> str:
    """Return the cgroup driver that containerd's configuration gives a runtime handler; empty when it does not say.

    ``info`` is that of a verbose ``StatusResponse``; ``handler`` is empty for the default one. (containerd, docs/cri/config.md)
    """
    with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
        config = json.loads(info["config"])
        if config.get("systemdCgroup"):  # the setting of containerd's oldest shim
            return "systemd"
        runtimes = config["containerd"]["runtimes"]
        runtime = runtimes[handler or config["containerd"]["defaultRuntimeName"]]
        if str(runtime.get("runtimeType", "")).startswith(_RUNC_SHIM):
            return "systemd" if (runtime.get("options") or {}).get("SystemdCgroup") else "cgroupfs"
    return ""


def pod(spec: InstanceSpec, network: int, cgroup_parent: str, log_directory: Path) -> Message:
    """Return the pod of an instance, with a PID namespace for each container, as a kubelet asks for."""
    spaces = TYPES["NamespaceOption"](network=network, pid=CONTAINER, ipc=POD)
    context = TYPES["LinuxSandboxSecurityContext"](namespace_options=spaces, seccomp=_no_filter())
    return TYPES["PodSandboxConfig"](
        metadata=TYPES["PodSandboxMetadata"](name=spec.name, uid=spec.name, namespace=NAMESPACE, attempt=0),
        hostname="" if network == NODE else spec.name,  # a pod of the node's network has the node's name
        log_directory=str(log_directory),
        labels={NAME_LABEL: spec.name},
        linux=TYPES["LinuxPodSandboxConfig"](cgroup_parent=cgroup_parent, security_context=context),
    )


def container(spec: InstanceSpec, payload: Message, network: int) -> Message:
    """Return the only container of an instance's pod, with masked paths as a kubelet asks for; ``payload`` is its ImageSpec."""
    spaces = TYPES["NamespaceOption"](network=network, pid=CONTAINER, ipc=POD)
    context = TYPES["LinuxContainerSecurityContext"](
        namespace_options=spaces,
        masked_paths=oci_spec.MASKED,
        readonly_paths=oci_spec.READONLY,
        seccomp=_no_filter(),
    )
    folders = [(f"/{a.name}", a.source, a.read_only) for a in mounts.only_folders(spec, "CRI")]
    return TYPES["ContainerConfig"](
        metadata=TYPES["ContainerMetadata"](name="payload", attempt=0),
        image=payload,
        command=[images.PAYLOAD],
        args=["--events", f"unix:{images.EVENTS}", *spec.command(inside=True)],
        mounts=[
            TYPES["Mount"](container_path=path, host_path=str(source), readonly=read_only)
            for path, source, read_only in [(images.EVENTS, spec.events, False), *folders]
        ],
        labels={NAME_LABEL: spec.name},
        log_path=f"{spec.name}.log",
        linux=TYPES["LinuxContainerConfig"](resources=resources(spec), security_context=context),
    )


def refuse_limits(target: Target, spec: InstanceSpec) -> None:
    """Refuse the limits for which CRI has no field.

    Raises:
        NotApplicable: The spec asks for one.
    """
    names = ("pids", "read_bytes_per_s", "write_bytes_per_s", "reservation_bytes")
    wanted = [name for name in names if getattr(spec.limits, name) is not None]
    if wanted:
        msg = f"'{target.text}' has no such limit: {', '.join(wanted)} (CRI v1 has no field for it)"
        raise NotApplicable(msg)


def resources(spec: InstanceSpec) -> Message:
    """Return the spec's limits; what is not given stays 0, which is CRI's "not specified"."""
    wanted = spec.limits
    found = {
        "cpu_period": None if spec.cpus is None else oci_spec.CPU_PERIOD_US,
        "cpu_quota": None if spec.cpus is None else round(spec.cpus * oci_spec.CPU_PERIOD_US),
        "cpu_shares": wanted.cpu_shares,
        "memory_limit_in_bytes": spec.memory_bytes,
        "cpuset_cpus": wanted.cpuset,
        "memory_swap_limit_in_bytes": wanted.swap_bytes,
    }
    return TYPES["LinuxContainerResources"](**{name: value for name, value in found.items() if value is not None})


def pid_of(info: Mapping[str, str]) -> int:
    """Return the process id in a verbose status, 0 when there is none (yet).

    containerd and CRI-O both say it in the JSON text under the key ``info``, which CRI leaves to them.
    """
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        return int(json.loads(info.get("info", "{}")).get("pid", 0))
    return 0


def describe_end(status: Message) -> str:
    """Describe how a container ended, from its ``ContainerStatus``, with the runtime's reason if it gives one."""
    why = " ".join(filter(None, (status.reason if status.reason not in ("Completed", "Error") else "", status.message)))
    return f"the container ended with {process.describe_exit(int(status.exit_code))} {why}".rstrip()


def not_ready(status: Message, network: int) -> str | None:
    """Return why a runtime cannot make pods, from its ``StatusResponse``; ``None`` when it can."""
    needed = ("RuntimeReady",) if network == NODE else ("RuntimeReady", "NetworkReady")
    found = {str(one.type): one for one in status.status.conditions}
    for name in needed:
        if name in found and not found[name].status:
            return f"{name} is false: {found[name].reason} {found[name].message}".strip()
    return None


def storage_place(mountpoint: str) -> tuple[str, Path] | None:
    """Return the driver and the root of a containers-storage from what ``ImageFsInfo`` says of it.

    CRI-O names the folder ``ROOT/DRIVER-images``; ``None`` for anything else.
    """
    path = Path(mountpoint)
    driver = path.name.removesuffix("-images")
    return (driver, path.parent) if path.name.endswith("-images") and driver else None


def _no_filter() -> Message:
    return TYPES["SecurityProfile"](profile_type=_UNCONFINED)
