"""Where an instance's data are: what the kernel has mounted for a live process, not what the engine was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.core import kernelfiles
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Bind, InstanceSpec
from bench.engines.evidence import process

DATA = "data"
"""Name of the bind to which a target's option ``mount`` applies."""
_VOLUME = re.compile(r"/volumes/([^/]+)/_data(//deleted)?")


def evidence(pid: int, binds: Sequence[Bind]) -> dict[str, str]:
    """Return ``mount`` (a value of the option) and ``data_fs`` for a live process whose spec has data, else nothing.

    Raises:
        InvocationFailed: The process is gone.
    """
    bind = next((bind for bind in binds if bind.name == DATA), None)
    if bind is None:
        return {}
    home, path = Path(f"/proc/{pid}"), f"/{bind.name}"
    try:
        table = (home / "mountinfo").read_text(encoding="utf-8", errors="replace")
        same = bind.source.exists() and (home / "root" / bind.name).samefile(bind.source)
    except OSError as error:
        msg = f"process {pid} is gone, so the location of its data cannot be read back"
        raise InvocationFailed(msg) from error
    kind = kind_of(table, path, bind, same=same)
    return {"mount": kind, "data_fs": process.root_file_system(table, "/" if kind == "layer" else path)}


def kind_of(mountinfo: str, path: str, bind: Bind, *, same: bool) -> str:
    """Return what is mounted at a path in a mountinfo table (proc_pid_mountinfo(5)).

    Args:
        mountinfo: The table.
        path: Where the instance sees its data.
        bind: What was asked for; it names the volume.
        same: Whether the folder there is the bind's source, by device and inode.
    """
    rows = [row for row in kernelfiles.split(mountinfo) if row[4:5] == [path]]
    if not rows:
        return "layer"
    row = rows[-1]
    root, options, kind = row[3], row[5].split(","), row[row.index("-") + 1]
    access = "-ro" if "ro" in options else ""
    if same:
        return f"bind{access}"
    if (volume := _VOLUME.search(root)) and (bind.kind == "anonymous" or volume[1] == bind.source.name):
        return f"volume{access}"
    return f"tmpfs{access}" if kind == "tmpfs" and root == "/" else f"{root} of {kind}{access}"


def only_folders(spec: InstanceSpec, who: str) -> tuple[Bind, ...]:
    """Return the binds that are folders of the host, for an engine that supports no other kind.

    Raises:
        NotApplicable: One is a volume or a tmpfs.
    """
    if other := [f"{bind.name} ({bind.kind})" for bind in spec.binds if bind.kind not in ("bind", "layer")]:
        msg = f"{who} mounts folders of the host; volumes are Docker's and Podman's: {', '.join(other)}"
        raise NotApplicable(msg)
    return tuple(bind for bind in spec.binds if bind.kind == "bind")
