"""Where data are kept, and whether they are documented to outlive the instance."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core.clock import Line
from bench.core.errors import InvocationFailed, NotApplicable, TareError
from bench.engines.abilities import HasStorage, HasVolumes, RunsImages
from bench.engines.base import Bind, Engine
from bench.engines.evidence.mounts import DATA
from bench.invocation import life
from bench.invocation.context import InvocationContext
from bench.lab import Lab
from bench.workloads import fio

FILE = "kept"
"""The file of known content (payload/kept.c)."""
BYTES = 2**20
_MARK = f"{{{DATA}}}"
_READ_ONLY = os.strerror(errno.EROFS)

Kept = Literal["yes", "no", "refused"]

PROMISES: dict[str, Kept] = {
    "folder": "yes",
    "layer": "no",
    "volume": "yes",
    "bind": "yes",
    "bind-ro": "refused",
    "tmpfs": "no",
    "raw": "yes",
    "qcow2": "yes",
    "shared": "yes",
}
"""Kind of mount → whether the next instance finds what was written there, or writing is refused."""


@dataclass(frozen=True)
class Data:
    """An invocation's data.

    Attributes:
        kind: Kind of mount: a key of ``PROMISES``.
        bind: The bind that each of its instances sees as ``/data``.
    """

    kind: str
    bind: Bind

    @property
    def promise(self) -> Kept:
        """What must happen to data that are written."""
        return PROMISES[self.kind]


def kind_of(engine: Engine) -> str:
    """Return the kind of mount that a target measures.

    Raises:
        NotApplicable: It has none.
    """
    options = engine.target.options
    if engine.kind == "process" and isinstance(engine, HasStorage):
        return "folder"
    if isinstance(engine, RunsImages) and isinstance(engine, HasStorage):
        return options.get("mount", "layer")
    if engine.kind == "machine" and (disk := options.get("disk", "none")) != "none":
        return disk
    msg = (
        f"'{engine.target.text}' has no place for data that could be compared; "
        "use host, mount=… of a container or disk=… of a machine"
    )
    raise NotApplicable(msg)


@contextlib.contextmanager
def data(context: InvocationContext) -> Iterator[Data]:
    """Yield an empty place for an invocation's data; remove its folder and its volume afterwards."""
    with data_of(context.engine, context.lab, context.name, context.account.engine) as found:
        yield found


@contextlib.contextmanager
def data_of(
    engine: Engine,
    lab: Lab,
    name: str,
    counted: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[Data]:
    """Yield an empty place for the data of an instance; remove its folder and, within ``counted``, its volume afterwards."""
    kind = kind_of(engine)
    folder = _home(engine, lab) / f"{name}-{DATA}"
    bind = Bind(DATA, folder, read_only=kind == "bind-ro")
    if kind in ("layer", "volume", "tmpfs"):
        bind = Bind(DATA, folder, read_only=False, kind=kind)  # type: ignore[arg-type]  # mypy does not narrow by "in"
    folder.mkdir(parents=True)
    try:
        yield Data(kind, bind)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if bind.kind == "volume" and isinstance(engine, HasVolumes):
            with contextlib.suppress(TareError), counted():
                engine.volumes.remove(bind)


def _home(engine: Engine, lab: Lab) -> Path:
    """Return the folder of the host for data: on the file system that a ``host`` target names, else the lab's own."""
    if engine.kind == "process" and isinstance(engine, HasStorage):
        return engine.storage().folder
    return lab.paths.run / "k"


def lay_out(found: Data, file_bytes: int) -> None:
    """Write the file that fio reads, for an instance that cannot write it."""
    block = os.urandom(2**20)
    with (found.bind.source / fio.FILE).open("wb") as file:
        for begin in range(0, file_bytes, len(block)):
            file.write(block[: file_bytes - begin])
        file.flush()
        os.fsync(file.fileno())


def writing() -> str:
    """Return the line of a script that writes the known content."""
    return f"keep {_MARK}/{FILE}:{BYTES}"


def check_written(found: Data, lines: Sequence[Line]) -> None:
    """Check that the file was written, or that writing was refused because the mount is read-only, as promised.

    Raises:
        InvocationFailed: Anything else.
    """
    said = _said(lines, "keep")
    expected = f"refused {_READ_ONLY}" if found.promise == "refused" else "written"
    if said != [expected]:
        raise _broken(
            found, f"writing a file was to be '{expected}', the instance says '{', '.join(said) or 'nothing'}'"
        )


def look_again(context: InvocationContext, found: Data) -> dict[str, str]:
    """Start a second instance on the same data, after the first is gone, and return what it found as notes.

    Raises:
        InvocationFailed: The data are not kept as promised.
    """
    arguments = ("--kept", f"{_MARK}/{FILE}:{BYTES}", "--mounts", _MARK, "--sleep")
    spec = life.spec_of(context, arguments, suffix="-again", binds=(found.bind,))
    with life.living(context, spec) as (instance, channel), context.account.engine():
        channel.wait_line("E mounts", context.timeout_s, instance.alive)
        life.evidence_of(context, instance)
        context.engine.stop(instance)
    said = _said(channel.lines, "kept")
    expected = "same" if found.promise == "yes" else "absent"
    if said != [expected]:
        raise _broken(
            found, f"a second instance was to find the file '{expected}', it says '{', '.join(said) or 'nothing'}'"
        )
    return {"kept": found.promise, "how": _HOW[found.promise]}


_HOW: dict[Kept, str] = {
    "yes": "a second instance reads the same content back",
    "no": "a second instance does not find the file",
    "refused": f"writing is refused: {_READ_ONLY}",
}


def mounted(lines: Sequence[Line]) -> dict[str, str]:
    """Return ``data_fs`` and ``data_options`` as the instance itself sees them (proc_pid_mountinfo(5)); empty without a mount."""
    rows = [line.text.split()[2:] for line in lines if line.text.startswith("S mount ")]
    if not rows:
        return {}
    row = rows[-1]
    return {"data_fs": row[row.index("-") + 1], "data_options": row[5]}


def _said(lines: Sequence[Line], action: str) -> list[str]:
    return [line.text[7:] for line in lines if line.text.startswith(f"S {action} ")]


def _broken(found: Data, what: str) -> InvocationFailed:
    return InvocationFailed(f"data in '{found.kind}' are not kept as that place promises ({found.promise}): {what}")


def script(folder: Path, lines: Sequence[str]) -> Bind:
    """Write a script for the payload and return the folder in which an instance sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Bind("work", folder)
