"""Load the payload's image into a CRI runtime without a registry: CRI itself can only pull."""

from __future__ import annotations

from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.engines.containerd import api as containerd
from bench.engines.cri import crio
from bench.engines.cri.api import Api, storage_place
from bench.lab import images
from bench.lab.images import Image

NAME = f"docker.io/{images.IMAGE}"
_CONTAINERD = "containerd"
_CONTAINERD_NAMESPACE = "k8s.io"
"""Where containerd's CRI plugin looks for images; it learns of new ones by containerd's events."""
_RUN_ROOT = "/run/containers/storage"
"""Default folder for state that does not outlive a boot (containers-storage.conf(5)), of a runtime that does not name its own."""
_TIMEOUT_S = 60.0
_APPEARS_S = 10.0


def ids(image: Image) -> frozenset[str]:
    """Return what runtimes may call the image: the digest of its configuration (CRI-O without ``sha256:``) or of its manifest."""
    digests = {f"sha256:{images.sha256(image.config)}", image.manifest}
    return frozenset(digests | {digest.removeprefix("sha256:") for digest in digests})


def load(api: Api, socket: Path, image: Image, lease: str, server: int | str, *, name: str = NAME) -> str:
    """Put the image where the runtime looks for it and return its id; an image that has its name loses the name.

    ``lease`` is a name that containerd does not know yet; ``server`` the runtime's process, whose mounts contain its storage.

    Raises:
        TargetUnavailable: It cannot be put there, with the remedy.
    """
    where, other = destination(api, socket, name), ""
    if api.who == _CONTAINERD:
        other = api.image_id(name, _TIMEOUT_S)  # it learns of the new one a moment after it is there
        client = containerd.Api(socket, _CONTAINERD_NAMESPACE)
        try:
            containerd.lend_image(client, image.archive, name, lease, _TIMEOUT_S)
        finally:
            client.close()
    else:
        _copy(api, image, server, where)
    return _appeared(api, image, other, where, name)


def _copy(api: Api, image: Image, server: int | str, where: str) -> None:
    """Copy the image into containers-storage, which CRI-O shares with Podman and skopeo."""
    remedy = f"put it there by hand: skopeo copy oci-archive:{image.archive} {where}"
    skopeo = proc.find("skopeo", f"install skopeo ('tare provision podman' does), or {remedy}")
    enter = (
        [proc.find("nsenter", "install util-linux"), f"--target={server}", "--mount", "--"]
        if server != "thread-self"
        else []
    )
    source = f"oci-archive:{image.archive}"
    argv = [*enter, skopeo, "--insecure-policy", "copy", "--quiet", source, where]
    try:
        proc.run(argv, timeout_s=_TIMEOUT_S).check()
    except InvocationFailed as error:
        msg = f"the image cannot be copied into the storage of {api.who}: {error}"
        raise TargetUnavailable(msg, remedy) from error


def destination(api: Api, socket: Path, name: str = NAME) -> str:
    """Return skopeo's name of the image in the runtime's storage, with the storage's folders if the runtime names them."""
    try:
        systems = api.call("ImageFsInfo", _TIMEOUT_S).image_filesystems
    except InvocationFailed:
        systems = []
    said = crio.config(str(socket)) if api.who == crio.NAME else {}
    place = next(filter(None, (storage_place(system.fs_id.mountpoint) for system in systems)), None)
    if place is None and {"root", "storage_driver"} <= said.keys():
        place = said["storage_driver"], Path(said["root"])
    if place is None:
        return f"containers-storage:{name}"
    driver, root = place
    return f"containers-storage:[{driver}@{root}+{said.get('runroot', _RUN_ROOT)}]{name}"


def _appeared(api: Api, image: Image, other: str, where: str, name: str) -> str:
    """Wait until the runtime knows the image and return its id; ``other`` is that of an image that had its name before."""
    end = now_s() + _APPEARS_S
    while (found := api.image_id(name, _TIMEOUT_S)) in ("", other) and found not in ids(image):
        if now_s() > end:
            has = f"still has another image ({found}) under the name" if found else "does not see the image"
            msg = f"{api.who} {has} '{name}' that was put into its store"
            raise TargetUnavailable(msg, f"see whether 'crictl images' lists it; it keeps its images in {where}")
        sleep_s(0.02)
    return found
