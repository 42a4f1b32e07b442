"""Where a Docker daemon keeps layers and what containers write."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from bench.core.errors import NotApplicable
from bench.engines.docker import images

TYPE = "io.containerd.snapshotter.v1"


def asked(root: Path, **info: Any) -> Any:
    """Return a client of a daemon with that root folder."""

    class Client:
        def info(self) -> dict[str, Any]:
            return {"Driver": "overlayfs", "DriverStatus": [["driver-type", TYPE]], "DockerRootDir": str(root), **info}

    return cast("Any", Client())


def test_graph_driver_keeps_data_below_dockers_root(tmp_path: Path) -> None:
    (tmp_path / "overlay2").mkdir()
    client = asked(tmp_path, Driver="overlay2", DriverStatus=[["Backing Filesystem", "extfs"]])
    assert images.storage(client, ()).folder == tmp_path / "overlay2"


def test_containerd_that_docker_started_keeps_snapshots_below_dockers_root(tmp_path: Path) -> None:
    folder = tmp_path / "containerd/daemon" / f"{TYPE}.overlayfs"
    folder.mkdir(parents=True)
    client = asked(tmp_path, Containerd={"Address": "/run/docker/containerd/containerd.sock"})
    assert images.storage(client, ()).folder == folder


def test_containerd_of_the_lab_keeps_snapshots_beside_its_socket(tmp_path: Path) -> None:
    folder = tmp_path / "c/root" / f"{TYPE}.overlayfs"
    folder.mkdir(parents=True)
    assert images.storage(asked(tmp_path, Containerd={"Address": str(tmp_path / "c/c.sock")}), ()).folder == folder


@pytest.mark.parametrize("said", [{}, {"Containerd": None}, {"Containerd": {"Address": "/nowhere/c.sock"}}])
def test_snapshots_that_cannot_be_seen_are_not_applicable(
    said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_SYSTEM", tmp_path / "nowhere")
    with pytest.raises(
        NotApplicable, match=r"Docker keeps images in containerd \(snapshotter overlayfs\), .*cannot be read"
    ):
        images.storage(asked(tmp_path, **said), ())


def test_folder_of_a_graph_driver_that_cannot_be_seen_is_not_applicable(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match=r"Docker keeps data by driver overlay2, .*cannot be read"):
        images.storage(asked(tmp_path, Driver="overlay2", DriverStatus=None), ())
