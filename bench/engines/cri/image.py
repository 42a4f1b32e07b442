"""Load the payload's image into a CRI runtime without a registry: CRI itself can only pull."""

from __future__ import annotations

from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.engines.containerd import api as containerd
from bench.engines.cri.api import Api, storage_place
from bench.lab import images
from bench.lab.images import Image

NAME = f"docker.io/{images.IMAGE}"
_CONTAINERD = "containerd"
_CONTAINERD_NAMESPACE = "k8s.io"
"""Where containerd's CRI plugin looks for images; it learns of new ones by containerd's events."""
_RUN_ROOT = "/run/containers/storage"
"""Default folder for state that does not outlive a boot (containers-storage.conf(5))."""
_TIMEOUT_S = 60.0
_APPEARS_S = 10.0


def load(api: Api, socket: Path, image: Image, lease: str, server: int | str) -> str:
    """Put the image where the runtime looks for it and return its id.

    ``lease`` is a name that containerd does not know yet; ``server`` the runtime's process, whose mounts contain its storage.

    Raises:
        TargetUnavailable: It cannot be put there, with the remedy.
    """
    if api.who == _CONTAINERD:
        client = containerd.Api(socket, _CONTAINERD_NAMESPACE)
        try:
            containerd.lend_image(client, image.archive, NAME, lease, _TIMEOUT_S)
        finally:
            client.close()
    else:
        _copy(api, image, server)
    return _appeared(api)


def _copy(api: Api, image: Image, server: int | str) -> None:
    """Copy the image into containers-storage, which CRI-O shares with Podman and skopeo."""
    remedy = f"put it there by hand: skopeo copy oci-archive:{image.archive} containers-storage:{NAME}"
    skopeo = proc.find("skopeo", f"install skopeo ('tare provision podman' does), or {remedy}")
    enter = (
        [proc.find("nsenter", "install util-linux"), f"--target={server}", "--mount", "--"]
        if server != "thread-self"
        else []
    )
    source = f"oci-archive:{image.archive}"
    argv = [*enter, skopeo, "--insecure-policy", "copy", "--quiet", source, destination(api)]
    try:
        proc.run(argv, timeout_s=_TIMEOUT_S).check()
    except InvocationFailed as error:
        msg = f"the image cannot be copied into the storage of {api.who}: {error}"
        raise TargetUnavailable(msg, remedy) from error


def destination(api: Api) -> str:
    """Return skopeo's name of the image in the runtime's storage, with the storage's folder if the runtime names it."""
    try:
        systems = api.call("ImageFsInfo", _TIMEOUT_S).image_filesystems
    except InvocationFailed:
        systems = []
    for system in systems:
        if found := storage_place(system.fs_id.mountpoint):
            driver, root = found
            return f"containers-storage:[{driver}@{root}+{_RUN_ROOT}]{NAME}"
    return f"containers-storage:{NAME}"


def _appeared(api: Api) -> str:
    end = now_s() + _APPEARS_S
    while not (found := api.image_id(NAME, _TIMEOUT_S)):
        if now_s() > end:
            msg = f"{api.who} does not see the image '{NAME}' that was put into its store"
            raise TargetUnavailable(
                msg, f"see whether 'crictl images' lists it; it keeps its images in {destination(api)}"
            )
        sleep_s(0.02)
    return found
