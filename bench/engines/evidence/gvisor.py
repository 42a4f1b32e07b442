"""Facts about a gVisor sandbox: the host sees the sandbox and its gofer, which opens files for it, but not the payload."""

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
    """Return the id of an instance's container: no id may be a prefix of another.

    gVisor accepts a prefix of an id for the id, and refuses one that matches several, even if one of them matches exactly.
    """
    return f"{name}-end"


def below_shim(pid: int) -> dict[str, str]:
    """Return the evidence of a sandbox below a containerd shim, instead of what its own process would show.

    Keys: ``payload`` (the file that the sandbox was given in its root, digested now), ``root_fs`` (that root's),
    ``runtime``, ``runtime_digest``, ``platform``.
    """
    home = Path(f"/proc/{process.parent(pid)}")
    bundle = (home / "cwd").readlink()
    given = json.loads((home / "cwd/config.json").read_text(encoding="utf-8"))["root"]["path"]
    path = str(bundle / given)  # in the shim's root; a path in the configuration may be absolute
    table = (home / "mountinfo").read_text(encoding="utf-8", errors="replace")
    return {
        "payload": payload(home / "root" / path.lstrip("/")),
        "root_fs": process.root_file_system(table, path),
        "runtime": Path(f"/proc/{pid}/exe").readlink().name,
        "runtime_digest": process.digest(Path(f"/proc/{pid}/exe")),
        "platform": platform(pid),
    }


def payload(root: Path) -> str:
    """Return the digest of the program in the root that a sandbox was given."""
    return hashlib.sha256((root / images.PAYLOAD.lstrip("/")).read_bytes()).hexdigest()


def platform(pid: int) -> str:
    """Return how a sandbox intercepts system calls: from its command line, or gVisor's default if that does not say."""
    chosen = [word.partition("=")[2] for word in process.arguments(pid) if word.startswith("--platform=")]
    return chosen[-1] if chosen else _default(str(Path(f"/proc/{pid}/exe").readlink()))


@functools.cache
def _default(program: str) -> str:
    done = proc.run([program, "flags"], timeout_s=10)
    return parse_default(done.stdout + done.stderr)


def parse_default(flags: str) -> str:
    """Return the default platform from the output of ``runsc flags``, ``default`` when it is not found there."""
    found = _DEFAULT.search(flags)
    return found[1] if found else "default"


def family(pid: int) -> set[int]:
    """Return the PIDs of a sandbox's shim and all its descendants: the sandbox and its gofer."""
    shim = process.parent(pid) if process.runs(pid) else None
    return process.family(shim) if shim is not None and shim > 1 else set()
