"""Undo what a killed run left: exactly what its journal names, nothing else."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import InvocationFailed, TareError, UsageError
from bench.lab import cgroups, disks
from bench.lab.journal import owner_is_alive, read

if TYPE_CHECKING:
    from docker import APIClient


_ASK_S = 30.0
"""How long another's daemon may take to answer."""


@dataclass(frozen=True)
class Swept:
    """One thing that a killed run left.

    Attributes:
        kind: What it is.
        name: Which one.
        gone: Whether it is gone now; with ``dry_run``, whether there is nothing to do.
    """

    kind: str
    name: str
    gone: bool


class LabBusy(TareError):
    """Another run uses the lab: two runs would measure each other."""

    exit_code = 3


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the state folder's lock for the time of the block.

    Raises:
        LabBusy: Another process holds it.
        UsageError: The folder cannot be made or written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as error:
        msg = f"the state folder '{state}' cannot be used: {error.strerror}; choose another with TARE_STATE=DIR"
        raise UsageError(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            msg = f"another run uses the lab in {state}; wait for its end, two runs would measure each other"
            raise LabBusy(msg) from None
        yield


def sweep(state: Path, *, dry_run: bool = False) -> list[Swept]:
    """Remove what dead runs' journals name and return what there was; journals of living runs are not touched."""
    found = []
    for path in sorted((state / "journal").glob("*.jsonl")):
        entries = read(path)
        if owner_is_alive(entries):
            continue
        ordered = sorted(entries, key=lambda entry: entry["kind"] != "cgroup")  # processes first: they hold the rest
        things = [thing for entry in ordered if (thing := _undo(entry, dry_run)) is not None]
        if not dry_run and all(thing.gone for thing in things):
            path.unlink()
        found += things
    return found


def _undo(entry: Mapping[str, str | int], dry_run: bool) -> Swept | None:
    kind, name = str(entry["kind"]), str(entry.get("path") or entry.get("name") or "")
    if kind in ("pod", "pod image"):
        return _undo_in_cri(kind, name, str(entry.get("endpoint")), dry_run)
    undo = _UNDO.get(kind)
    return undo(name, dry_run) if undo else None


def _undo_cgroup(path: str, dry_run: bool) -> Swept | None:
    count = len(cgroups.pids_of(path))
    tops = [mount / path.lstrip("/") for mount in cgroups.hierarchy().mounts]
    if not any(top.exists() for top in tops):
        return None
    left = ["not removed yet"] if dry_run else cgroups.destroy(path)
    return Swept("control group", f"{path} with {count} processes", not left)


def _undo_folder(path: Path, dry_run: bool) -> Swept | None:
    if not path.exists():
        return None
    if not dry_run:
        shutil.rmtree(path, ignore_errors=True)
    return Swept("folder", str(path), not path.exists())


def _undo_process(name: str, dry_run: bool) -> Swept | None:
    """End the processes that carry the unique instance name as an argument (unprivileged runs have no control group)."""
    from bench.core import proctable  # noqa: PLC0415 - only an unprivileged run's sweep needs it

    pids = proctable.with_argument(name)
    if not pids:
        return None
    if not dry_run:
        pids = proctable.kill_all(pids)
    return Swept("process", f"{name} ({', '.join(map(str, sorted(pids)))})" if pids else name, not pids)


def _undo_loop(backing: str, dry_run: bool) -> Swept | None:
    """Free the loop devices of a file of the run's folder: those that no mount's end has freed already."""
    devices = disks.loops_of(backing)
    if not devices:
        return None
    gone = not dry_run and disks.free_loops(backing)
    return Swept("loop device", f"{', '.join(map(str, devices))} ({backing})", gone)


def _undo_pool(name: str, dry_run: bool) -> Swept | None:
    """Remove a thin pool with the thin devices in it."""
    if not disks.has_pool(name):
        return None
    return Swept("thin pool", name, not dry_run and disks.remove_pool(name))


def _undo_container(name: str, dry_run: bool) -> Swept | None:
    """Remove a container that a run made in the system's own Docker."""
    return _undo_in_docker("container", name, dry_run, lambda client: client.remove_container(name, v=True, force=True))


def _undo_image(name: str, dry_run: bool) -> Swept | None:
    """Remove the payload's image from the system's own Docker."""
    return _undo_in_docker("image", name, dry_run, lambda client: client.remove_image(name))


def _undo_volume(name: str, dry_run: bool) -> Swept | None:
    """Remove a volume that a run made in the system's own Docker."""
    return _undo_in_docker("volume", name, dry_run, lambda client: client.remove_volume(name))


def _undo_in_docker(kind: str, name: str, dry_run: bool, remove: Callable[[APIClient], object]) -> Swept | None:
    try:
        import docker  # noqa: PLC0415 - only after a run with endpoint=system
        from docker.errors import DockerException, NotFound  # noqa: PLC0415
    except ImportError:
        return Swept(kind, f"{name} (the Python package 'docker' is not installed: it cannot be asked)", gone=False)
    try:
        with contextlib.closing(docker.from_env(timeout=30).api) as client:
            asks = {
                "container": client.inspect_container,
                "image": client.inspect_image,
                "volume": client.inspect_volume,
            }
            asks[kind](name)
            if not dry_run:
                remove(client)
    except NotFound:
        return None
    except DockerException as error:
        return Swept(kind, f"{name} (the system's Docker does not answer: {str(error)[:80]})", gone=False)
    return Swept(kind, name, not dry_run)


def _undo_in_cri(kind: str, name: str, endpoint: str, dry_run: bool) -> Swept | None:
    """Remove an instance's pods, or the payload's image, from a CRI runtime that is not the lab's own."""
    try:
        from bench.engines.cri import api as _cri_api  # noqa: PLC0415 - only after a run with cri:endpoint=…
    except ImportError as error:
        return Swept(
            kind, f"{name} (the Python package '{error.name}' is not installed: it cannot be asked)", gone=False
        )
    with contextlib.closing(_cri_api.Api(_cri_api.outside(endpoint))) as api:
        try:
            there = api.pods(name, _ASK_S) if kind == "pod" else api.image_id(name, _ASK_S)
            if not there:
                return None
            if not dry_run and kind == "pod":
                api.remove(name, _ASK_S)
            elif not dry_run:
                api.ask("RemoveImage", _ASK_S, image=_cri_api.image(name))
        except InvocationFailed as error:
            return Swept(kind, f"{name} (nobody answers at {endpoint}: {str(error)[:80]})", gone=False)
    return Swept(kind, name, not dry_run)


_UNDO: dict[str, Callable[[str, bool], Swept | None]] = {
    "cgroup": _undo_cgroup,
    "folder": lambda name, dry_run: _undo_folder(Path(name), dry_run),
    "process": _undo_process,
    "loop": _undo_loop,
    "pool": _undo_pool,
    "container": _undo_container,
    "image": _undo_image,
    "volume": _undo_volume,
}
"""Kind of journal line → how it is undone. Owner and daemon lines only tell a reader the story."""
