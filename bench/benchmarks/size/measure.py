"""How large the same application is: a static binary, an image on each base, the files that a machine boots from.

Bytes are those of the disk, as the engine's store holds them. Nothing here is timed.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HasStorage, ImageStore, RunsImages, StartsFromFiles
from bench.engines.base import Instance
from bench.invocation import disk_use, life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.invocation.disk_use import Taken
from bench.lab import bases
from bench.lab.images import Image
from bench.lab.usage import Store

_MARKS = {"compiler": "usr/bin/cc", "debian": "etc/debian_version", "busybox": "bin/busybox"}
"""What is in a base and in none that comes after it here; nothing of these is in ``scratch``."""


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the application as the target's engine has it.

    Raises:
        NotApplicable: The base means nothing for the target, or is not there.
    """
    engine = context.engine
    if engine.target.options.get("endpoint", "lab") != "lab":
        msg = f"'{engine.target.text}' is not the lab's own, and its store is left alone"
        raise NotApplicable(msg)
    if isinstance(engine, RunsImages) and isinstance(engine, HasStorage):
        return _as_image(context, engine.images, engine.storage())
    if context.params["base"] != "scratch":
        msg = (
            f"what '{engine.target.engine}' starts comes from no image, so there is no base '{context.params['base']}'"
        )
        raise NotApplicable(f"{msg}; base=scratch has its numbers")
    return _as_files(context)


def _as_image(context: InvocationContext, engine_images: ImageStore, store: Store) -> InvocationResult:
    """Add the image, an instance of it and another image on the same base; see what each adds and what its removal frees.

    Raises:
        InvocationFailed: The store had the base's layers already.
    """
    state, name = context.lab.paths.state, str(context.params["base"])
    image, other = bases.with_payload(state, name), bases.sibling(state, name)
    with context.account.engine():
        for earlier in (image, other, *([bases.alone(state, name)] if name != "scratch" else [])):
            engine_images.remove(earlier)  # other benchmarks leave them for the next invocation
    before = disk_use.look(store)
    with context.account.engine():
        try:
            engine_images.add(image)
            present = disk_use.look(store)
            instance_bytes, evidence = _instance(context, image, lambda: disk_use.look(store), present)
            engine_images.add(other)
            both = disk_use.look(store)
            engine_images.remove(image)
            without = disk_use.look(store)
        finally:
            engine_images.remove(image)
            engine_images.remove(other)
    whole, left = present.more_than(before), disk_use.look(store).more_than(before)
    shared = whole - both.more_than(without)
    if name != "scratch" and shared <= 0:
        msg = f"another image in the store has the layers of base={name}, so they were not counted; measure 'size' by itself"
        raise InvocationFailed(msg)
    values = {
        "image.bytes": whole,
        "image.compressed_bytes": packed_bytes(image),
        "image.layers": len(image.layers),
        "image.shared_bytes": shared,
        "image.instance_bytes": instance_bytes,
    }
    flags = [] if present.files else ["bytes are those that the file system calls used: not exact"]
    flags += [f"residue: {left} bytes in the store"] if left else []
    return InvocationResult(dict(values), {**evidence, "image": image.manifest}, tuple(flags))


def _instance(
    context: InvocationContext, image: Image | None, look: Callable[[], Taken], before: Taken
) -> tuple[int, dict[str, str]]:
    """Return what one more instance takes once it is ready, and its evidence."""
    spec = life.spec_of(context, image=image)
    with life.living(context, spec) as (instance, _):
        taken = look().more_than(before)
        evidence = life.evidence_of(context, instance)
        if image is not None:
            evidence["base"] = _base_of(context, instance)
        context.engine.stop(instance)
    return taken, evidence


def _base_of(context: InvocationContext, instance: Instance) -> str:
    """Return the base of the instance's root, as the kernel shows it.

    Raises:
        InvocationFailed: It is not the one that was asked for.
    """
    inside = disk_use.root_of(instance)
    found = next((name for name, mark in _MARKS.items() if (inside / mark).exists()), "scratch")
    if found != context.params["base"]:
        msg = f"asked for base={context.params['base']}, but the live instance has base={found}"
        raise InvocationFailed(msg)
    return found


def packed_bytes(image: Image) -> int:
    """Return the bytes of an image's compressed layers: what a registry sends."""
    with tarfile.open(image.archive) as archive:
        file = archive.extractfile(f"blobs/{image.manifest.replace(':', '/')}")
        return sum(int(layer["size"]) for layer in json.loads(file.read() if file else b"{}")["layers"])


def _as_files(context: InvocationContext) -> InvocationResult:
    """Measure an application that is plain files: its own, and those that it shares with other applications."""
    engine = context.engine
    if not isinstance(engine, StartsFromFiles):
        msg = f"Tare does not know where '{engine.target.engine}' keeps its images"
        raise NotApplicable(msg)
    files = engine.boot_files
    folder = context.lab.paths.run / "b"
    before = Taken(disk_use.files(folder))
    taken, evidence = _instance(context, None, lambda: Taken(disk_use.files(folder)), before)
    packed = sum(map(disk_use.compressed, (*_plain(files.own), *files.shared)))
    if files.disk is not None:
        packed += disk_use.compressed_disk(files.disk, context.lab.paths.run)
    values: dict[str, float] = {
        "image.bytes": disk_use.on_disk((*files.own, *files.shared, *([files.disk] if files.disk else []))),
        "image.compressed_bytes": packed,
    }
    if files.shared:
        values["image.shared_bytes"] = disk_use.on_disk(files.shared)
    if engine.target.engine != "host":  # a process of the host writes nothing to a disk: absent, not zero
        values["image.instance_bytes"] = taken
    return InvocationResult(values, evidence)


def _plain(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files among and below paths."""
    return [
        file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()
    ]
