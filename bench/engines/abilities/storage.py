"""Abilities with data: where an engine stores them, volumes, boot files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.engines.base import Bind, Instance
from bench.lab.usage import Store


@runtime_checkable
class HasStorage(Protocol):
    """An engine whose instances write to a disk of the host whose use can be read."""

    def storage(self) -> Store:
        """Return where its storage driver keeps layers and what instances write."""
        ...


@dataclass(frozen=True)
class Volume:
    """A volume of an engine.

    Attributes:
        name: Its name.
        folder: Where its files are on the host.
    """

    name: str
    folder: Path


class VolumeStore(Protocol):
    """The volumes of one engine."""

    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def of(self, instance: Instance, bind: Bind) -> Volume:
        """Return the volume that a live instance has as a bind."""
        ...

    def exists(self, name: str) -> bool:
        """Say whether the engine has a volume of that name."""
        ...

    def remove_instance(self, instance: Instance, *, volumes: bool) -> None:
        """Remove an instance that has ended, with the volumes that the engine removes with it if asked, or without."""
        ...

    def remove(self, bind: Bind) -> None:
        """Remove the volume of a bind; succeed when it is gone."""
        ...


@runtime_checkable
class HasVolumes(Protocol):
    """An engine with volumes, which outlive the instances that wrote to them."""

    @property
    def volumes(self) -> VolumeStore:
        """Its volumes."""
        ...


@dataclass(frozen=True)
class BootFiles:
    """The files of the host from which an engine starts an instance.

    Attributes:
        own: Files and folders that belong to the application alone.
        shared: Files that other applications use as well.
        disk: The application's raw disk, if there is one.
    """

    own: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    disk: Path | None = None


@runtime_checkable
class StartsFromFiles(Protocol):
    """An engine that starts instances from plain files of the host instead of an image store."""

    @property
    def boot_files(self) -> BootFiles:
        """Its files; known once the engine is prepared."""
        ...
