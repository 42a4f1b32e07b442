"""Programs that run inside every target, copied from the host with everything that they load, named by their content.

A target's root has nothing but the payload, and libraries in different roots would differ. So a read-only folder has the
host's program, its shared libraries and its dynamic loader, which is called by its path: every target runs the same bits.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from pathlib import Path

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.lab import images
from bench.lab.images import Artifact

_REMEDY = "run 'tare provision tools' as root"
_LIBRARY = re.compile(r"\s*\S+ => (/\S+) \(0x[0-9a-f]+\)")
_LOADER = re.compile(r"\s*(/\S+/ld\S*) (?:=> \S+ )?\(0x[0-9a-f]+\)")
_MISSING = re.compile(r"\s*(\S+) => not found")


@functools.cache
def folder(state: Path, name: str = "sysbench") -> Artifact:
    """Return a folder with ``bin/NAME``, ``lib/`` and ``ld.so``; make it if it does not exist. Cached for the process.

    Raises:
        TargetUnavailable: The program is not installed, or its libraries cannot be found.
    """
    program = Path(proc.find(name, _REMEDY)).resolve()
    done = proc.run([proc.find("ldd", "install the C library's programs"), str(program)], timeout_s=30)
    libraries, loader = parse_ldd(done.stdout, str(program))
    home = state / "tools"
    temporary = home / f".{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for place in ("bin", "lib"):
            (temporary / place).mkdir(parents=True)
        shutil.copy(program, temporary / "bin" / name)
        shutil.copy(loader, temporary / "ld.so")
        for library in libraries:
            shutil.copy(library, temporary / "lib" / library.name)
        digest = images.folder_digest(temporary)
        path = home / digest[:16]
        if not path.exists():
            temporary.rename(path)
        return Artifact(path, digest)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def parse_ldd(text: str, program: str) -> tuple[list[Path], Path]:
    """Parse the output of ldd into the libraries and the dynamic loader.

    Raises:
        TargetUnavailable: A library is missing, or nothing was listed.
    """
    lines = text.splitlines()
    if missing := [found[1] for line in lines if (found := _MISSING.fullmatch(line))]:
        msg = f"'{program}' needs libraries that are missing: {', '.join(missing)}"
        raise TargetUnavailable(msg, _REMEDY)
    libraries = [Path(found[1]) for line in lines if (found := _LIBRARY.fullmatch(line))]
    loaders = [Path(found[1]) for line in lines if (found := _LOADER.fullmatch(line))]
    if not libraries or not loaders:
        said = " ".join(text.split())[-200:] or "nothing"
        msg = f"ldd does not list the libraries and the loader that '{program}' needs, it says: {said}"
        raise TargetUnavailable(msg, _REMEDY)
    return libraries, loaders[0]
