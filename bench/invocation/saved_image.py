"""An image as an engine saves it: its configuration, its history, its layers."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from bench.core.errors import InvocationFailed


@dataclass(frozen=True)
class Saved:
    """An image as an engine saves it (``docker save``).

    Attributes:
        config: Its configuration, without the history.
        history: Its history.
        layers: Its layers, plain tars, the lowest first.
    """

    config: dict[str, Any]
    history: list[Any]
    layers: tuple[bytes, ...]


def read(archive: bytes) -> Saved:
    """Read a saved image.

    Raises:
        InvocationFailed: It is not one.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            (manifest,) = json.loads(member(tar, "manifest.json"))
            config = json.loads(member(tar, manifest["Config"]))
            layers = tuple(member(tar, name) for name in manifest["Layers"])
    except (tarfile.TarError, KeyError, ValueError) as error:
        msg = f"what the engine saved is not an image: {error}"
        raise InvocationFailed(msg) from error
    return Saved(
        {name: value for name, value in config.items() if name != "history"}, config.get("history", []), layers
    )


def member(tar: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a file of an archive.

    Raises:
        KeyError: There is no such file.
    """
    file = tar.extractfile(name)
    if file is None:
        msg = f"'{name}' is not a file"
        raise KeyError(msg)
    return file.read()
