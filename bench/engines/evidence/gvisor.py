"""What can be read of a gVisor sandbox: the host sees its program, and one that opens files for it, but not the payload."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from pathlib import Path

from bench.core import proc
from bench.engines.evidence import process
from bench.lab import images

_DEFAULT = re.compile(r'-platform string\n[^\n]*\(default "(\w+)"\)')


def container_id(name: str) -> str:
    """Return the id that an instance's container gets: none may be the beginning of another's.

    gVisor takes the beginning of an id for the whole, and refuses one that is several's, also where one is just that.
    """
    return f"{name}-end"


def below_shim(pid: int) -> dict[str, str]:
    """Return the evidence of a sandbox below a containerd shim, in the place of what its own process would tell.

    Keys: ``payload`` (the file that the sandbox was given in its root, digested now), ``root_fs`` (that root's),
    ``runtime``, ``runtime_digest``, ``platform``.
    """
    home = Path(f"/proc/{process.parent(pid)}")
    bundle = (home / "cwd").readlink()
    given = json.loads((home / "cwd/config.json").read_text(encoding="utf-8"))["root"]["path"]
    place = str(bundle / given)  # in the shim's root; a path in the configuration may be absolute
    table = (home / "mountinfo").read_text(encoding="utf-8")
    return {
        "payload": payload(home / "root" / place.lstrip("/")),
        "root_fs": process.root_file_system(table, place),
        "runtime": Path(f"/proc/{pid}/exe").readlink().name,
        "runtime_digest": process.digest(Path(f"/proc/{pid}/exe")),
        "platform": platform(pid),
    }


def payload(root: Path) -> str:
    """Return the digest of the program in the root that a sandbox was given."""
    return hashlib.sha256((root / images.PAYLOAD.lstrip("/")).read_bytes()).hexdigest()


def platform(pid: int) -> str:
    """Return how a sandbox catches system calls: as its command line says, which leaves out gVisor's own default."""
    chosen = [word.partition("=")[2] for word in process.arguments(pid) if word.startswith("--platform=")]
    return chosen[-1] if chosen else _default(str(Path(f"/proc/{pid}/exe").readlink()))


@functools.cache
def _default(program: str) -> str:
    done = proc.run([program, "flags"], timeout_s=10)
    return parse_default(done.stdout + done.stderr)


def parse_default(flags: str) -> str:
    """Return the default platform in what ``runsc flags`` prints, ``default`` when that is worded in another way."""
    found = _DEFAULT.search(flags)
    return found[1] if found else "default"


def family(pid: int) -> set[int]:
    """Return all below a sandbox's shim, and the shim: beside the sandbox there is the one who opens its files."""
    shim = process.parent(pid) if process.runs(pid) else None
    return process.family(shim) if shim is not None and shim > 1 else set()
