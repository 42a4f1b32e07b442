"""Undo what a killed run left: exactly what its journal names, nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.errors import TareError
from bench.lab import cgroups
from bench.lab.journal import owner_is_alive, read


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


def sweep(state: Path, *, dry_run: bool = False) -> list[Swept]:
    """Remove what dead runs' journals name and return what there was; journals of living runs are not touched."""
    found = []
    for path in sorted((state / "journal").glob("*.jsonl")):
        entries = read(path)
        if owner_is_alive(entries):
            continue
        things = [thing for entry in reversed(entries) if (thing := _undo(dict(entry), dry_run)) is not None]
        if not dry_run and all(thing.gone for thing in things):
            path.unlink()
        found += things
    return found


def _undo(entry: dict[str, str | int], dry_run: bool) -> Swept | None:
    kind = str(entry["kind"])
    name = str(entry.get("path") or entry.get("name") or "")
    if kind == "cgroup":
        return _undo_cgroup(name, dry_run)
    if kind == "folder":
        return _undo_folder(Path(name), dry_run)
    if kind == "process":
        return _undo_process(name, dry_run)
    if kind == "container":
        return _undo_container(name, dry_run)
    return None  # owner and daemon lines tell a reader the story; the group holds the processes


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
    from bench import proc  # noqa: PLC0415 - only an unprivileged run's sweep needs it

    pids = proc.with_argument(name)
    if not pids:
        return None
    if not dry_run:
        pids = proc.kill_all(pids)
    return Swept("process", f"{name} ({', '.join(map(str, sorted(pids)))})" if pids else name, not pids)


def _undo_container(name: str, dry_run: bool) -> Swept | None:
    """Remove a container that a run made in the system's own Docker."""
    import docker  # noqa: PLC0415 - only after a run with endpoint=system
    from docker.errors import DockerException, NotFound  # noqa: PLC0415

    try:
        container = docker.from_env(timeout=30).containers.get(name)
        if not dry_run:
            container.remove(force=True)
    except NotFound:
        return None
    except DockerException as error:
        msg = f"cannot ask the system's Docker about '{name}': {error}; start it and sweep again"
        raise TareError(msg) from error
    return Swept("container", name, not dry_run)
