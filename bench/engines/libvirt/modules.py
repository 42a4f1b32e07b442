"""Kernel modules that a minimal guest needs for its devices: a folder with the files in load order.

The guest's first process loads the files in the folder (``--modules``, payload/modules.c), since before that it has neither
modprobe nor a disk. Modules that are built into the kernel need no file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.core.errors import TargetUnavailable
from bench.lab import images
from bench.lab.images import Artifact

NAME = "modules"
"""Name of the folder in the guest."""
_REMEDY = "run 'tare provision guest_images' as root"


def folder(state: Path, names: Sequence[str]) -> Artifact:
    """Return a folder, named by its content, with these modules of the guests' kernel and their dependencies.

    Raises:
        TargetUnavailable: The kernel has no such module, or was not provisioned.
    """
    tables = sorted((state / "guest" / "kernel" / "modules" / "lib" / "modules").glob("*/modules.dep"))
    if not tables:
        msg = "the modules of the guests' kernel are not there"
        raise TargetUnavailable(msg, _REMEDY)
    root = tables[-1].parent
    built_in = {plain_name(line) for line in (root / "modules.builtin").read_text(encoding="utf-8").split()}
    needs = parse(tables[-1].read_text(encoding="utf-8"))
    files = [root / path for path in order(needs, [name for name in names if name not in built_in])]
    return _copied(state / "guest" / "modules", files)


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Parse modules.dep(5): a module's file → the files that it depends on."""
    rows = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {path: tuple(needed.split()) for path, _, needed in rows}


def order(needs: Mapping[str, Sequence[str]], names: Sequence[str]) -> list[str]:
    """Return the files to load, each after its dependencies.

    Raises:
        TargetUnavailable: There is no module of that name.
    """
    files = {plain_name(path): path for path in needs}
    found: dict[str, None] = {}
    for name in names:
        if name not in files:
            msg = f"the guests' kernel has no module '{name}'"
            raise TargetUnavailable(msg, "leave out the option that needs it, or provision another kernel")
        found.update(dict.fromkeys(_chain(needs, files[name])))
    return list(found)


def plain_name(path: str) -> str:
    """Return a module's name in the kernel: without folder and suffixes, with ``_`` instead of ``-``."""
    return Path(path).name.partition(".")[0].replace("-", "_")


def _chain(needs: Mapping[str, Sequence[str]], path: str) -> Iterator[str]:
    for needed in needs.get(path, ()):
        yield from _chain(needs, needed)
    yield path


def _copied(home: Path, files: Sequence[Path]) -> Artifact:
    """Copy the files with numbered names into a folder named by its content."""
    temporary = home / f".{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for number, file in enumerate(files):
            shutil.copyfile(file, temporary / f"{number:02}-{file.name}")
        digest = images.folder_digest(temporary)
        path = home / digest[:16]
        if not path.exists():
            temporary.rename(path)
        return Artifact(path, digest)
    except OSError as error:
        msg = f"the guests' kernel modules cannot be read: {error}"
        raise TargetUnavailable(msg, _REMEDY) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
