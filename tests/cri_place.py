"""A CRI engine beside the strict server: a lab without daemons, and an engine that knows nothing but the server's socket."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from bench.core.model import Target
from bench.engines.base import InstanceSpec
from bench.engines.cri import image as cri_image
from bench.engines.cri.engine import Cri
from bench.lab import Lab, images
from tests import cri_server
from tests.cri_server import CriServer
from tests.fakes import FakeLab


class Daemons:
    """The lab's daemons as far as somebody's own runtime needs them: clients that are closed at the end."""

    def __init__(self) -> None:
        self.clients = contextlib.ExitStack()


class RunLab(FakeLab):
    """A lab without daemons of its own."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.cgroup_path = "/tare/fa4e"
        self.own = Daemons()

    def __getattribute__(self, name: str) -> Any:
        """Give the daemons, which the plain fake refuses."""
        return super().__getattribute__("own" if name == "daemons" else name)


@dataclasses.dataclass
class Bench:
    """A server, a lab and an engine that is told nothing but the server's socket."""

    server: CriServer
    lab: RunLab
    path: str

    def engine(self, **options: str) -> Cri:
        """Return an engine."""
        chosen = {"endpoint": f"unix://{self.path}", **options}
        text = ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))
        return Cri(Target(f"cri:{text}", "cri", chosen), cast("Lab", self.lab))

    def spec(self, **changes: Any) -> InstanceSpec:
        """Return a job."""
        return dataclasses.replace(InstanceSpec("tare-1", self.lab.paths.run / "e" / "1", timeout_s=10), **changes)


def image_id(state: Path) -> str:
    """Return the id that CRI-O gives the payload's image."""
    return images.sha256(images.image(state).config)


Serving = Callable[[CriServer], contextlib.AbstractContextManager[str]]


@contextlib.contextmanager
def opened(state: Path, folder: Path, serving: Serving = cri_server.serving) -> Iterator[Bench]:
    """Serve in a folder, with the payload's image in the store; the lab is closed at the end."""
    server = CriServer(folder, images.payload(state).path, images={cri_image.NAME: image_id(state)})
    lab = RunLab(state)
    with serving(server) as path:
        yield Bench(server, lab, path)
        lab.own.clients.close()
    lab.journal.close(done=True)
    shutil.rmtree(lab.paths.run)  # the state folder is every test's
