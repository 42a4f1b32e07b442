"""Abilities with images: run, pull and build others than the payload's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.lab.bases import Base
from bench.lab.images import Image
from bench.workloads.build import Built


class ImageStore(Protocol):
    """The images of one engine other than the payload's own."""

    def add(self, image: Image) -> None:
        """Import and unpack an image, so that a spec may name it; idempotent."""
        ...

    def remove(self, image: Image) -> None:
        """Remove an image and the layers that no other image uses; succeed when it is gone."""
        ...


@runtime_checkable
class RunsImages(Protocol):
    """An engine that can run other images than the payload's own."""

    @property
    def images(self) -> ImageStore:
        """Its image store."""
        ...


def leaves_configuration(engine: object) -> bool:
    """Return whether an engine declares, by its attribute of that name, that its clients apply an image's configuration."""
    return bool(getattr(engine, "leaves_configuration", False))


@dataclass(frozen=True)
class PulledImage:
    """What an engine reports about an image that it has pulled.

    Attributes:
        digest: Digest of the manifest.
        layers: Number of layers.
        by: The program that pulled it.
    """

    digest: str
    layers: int
    by: str


class ImagePuller(Protocol):
    """How one engine pulls images."""

    def pull(self, name: str, timeout_s: float) -> None:
        """Pull an image by name; return when it is unpacked."""
        ...

    def find(self, name: str, image: Image) -> PulledImage:
        """Ask the engine what it has under that name."""
        ...

    def remove(self, name: str, image: Image) -> None:
        """Remove the image and its layers; succeed when it is not there."""
        ...


@runtime_checkable
class PullsImages(Protocol):
    """An engine that can pull images from a registry."""

    @property
    def puller(self) -> ImagePuller:
        """How it pulls."""
        ...


@dataclass(frozen=True)
class Build:
    """One finished build.

    Attributes:
        context_bytes: Size of the build context that was sent.
        built: What the builder reported.
    """

    context_bytes: int
    built: Built


@dataclass(frozen=True)
class BuiltImage:
    """What an engine reports about an image that it has built.

    Attributes:
        storage: The storage driver.
        layers: Digests of the layers, lowest first.
        folders: Where the layers are on the disk.
    """

    storage: str
    layers: tuple[str, ...]
    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Launch:
    """How an instance of a built image is started.

    Attributes:
        environment: Variables that it is given.
        memory: Where it has file systems in memory.
        files: File of the host → where the instance sees it, read-only.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    memory: tuple[str, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launched:
    """A running instance of a built image.

    Attributes:
        pid: Its first process, on the host.
        inspected: What the engine says of it, JSON.
    """

    pid: int
    inspected: str


class ImageBuilder(Protocol):
    """One builder; what it builds is removed when it is closed."""

    who: str
    """Name and version."""

    def add_base(self, image: Image) -> str:
        """Load the base image unless it is there, and return its id."""
        ...

    def network(self, base: Base) -> str:
        """Return the network mode of build steps, read back from a step that runs on ``base``."""
        ...

    def build(self, folder: Path, arguments: Mapping[str, str] | None = None) -> Build:
        """Pack the build context, send it with the build's arguments, and read the builder's output to the end."""
        ...

    def saved(self, image: str) -> bytes:
        """Return an image as the engine saves it, a tar."""
        ...

    def started(self, image: str, how: Launch) -> AbstractContextManager[Launched]:
        """Yield an instance of an image, which runs its own program until the end of the block."""
        ...

    def run(self, image: str) -> str:
        """Run an image until it exits and return what it printed."""
        ...

    def describe(self, image: str) -> BuiltImage:
        """Ask the engine about an image."""
        ...


class ImageBuilders(Protocol):
    """Opens builders of one engine."""

    def open(self, name: str, timeout_s: float) -> AbstractContextManager[ImageBuilder]:
        """Yield a builder whose image and containers are called ``name``; remove everything that it made.

        Raises:
            NotApplicable: An option of the target has no meaning for a build.
        """
        ...


@runtime_checkable
class BuildsImages(Protocol):
    """An engine that can build images from a Dockerfile."""

    @property
    def builders(self) -> ImageBuilders:
        """Opens a builder."""
        ...
