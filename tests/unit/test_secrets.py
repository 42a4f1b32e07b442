"""The benchmark of secrets over a fake builder: every route, every place, saved images that are none, words and tables."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import benchmarks
from bench.benchmarks.secrets import measure, sbom, search, tables, words
from bench.benchmarks.secrets.routes import FILE, NAME, PLACES, ROUTES
from bench.core.errors import InvocationFailed
from bench.core.model import Status
from bench.display.data import ScenarioData
from bench.engines.abilities import Build, BuiltImage, ImageBuilder, Launch, Launched
from bench.engines.fake import Fake
from bench.invocation import saved_image
from bench.lab import bases, images
from bench.lab.bases import Base
from bench.lab.images import Image
from bench.lab.usage import Store
from bench.workloads.build import Built
from tests import pages
from tests.fakes import FakeLab, small


def tar(members: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), (modes or {}).get(name, 0o644)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def saved(layers: list[bytes], config: Mapping[str, Any], history: list[Any] | None = None) -> bytes:
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "c.json", "Layers": names}]).encode()
    whole = json.dumps({**config, "history": history or []}).encode()
    return tar({**dict(zip(names, layers, strict=True)), "c.json": whole, "manifest.json": manifest})


class FakeBuilder:
    """Builds as Docker's does, as far as the routes can tell; keeps what it is given in a folder until it is closed."""

    who = "fake 1"

    def __init__(self, folder: Path) -> None:
        self.disk = folder / "data/layers"
        self.disk.mkdir(parents=True, exist_ok=True)
        self.archive = b""

    def add_base(self, image: Image) -> str:
        """Return its id."""
        return "base"

    def network(self, base: Base) -> str:
        """Return nothing that is used."""
        return "none"

    def build(self, folder: Path, arguments: Mapping[str, str] | None = None) -> Build:
        """Make an image of what the Dockerfile says."""
        text = (folder / "Dockerfile").read_text()
        ignored = (folder / ".dockerignore").exists()
        copied = (
            {FILE: (folder / FILE).read_bytes()} if "COPY" in text and (folder / FILE).exists() and not ignored else {}
        )
        config = {"config": {"Env": [line[4:] for line in text.splitlines() if line.startswith("ENV ")]}}
        history = [{"created_by": f"{dict(arguments or {})} {text}"}]
        self.archive = saved([tar(copied)], config, history)
        (self.disk / "image").write_bytes(self.archive)
        return Build(1, Built("image", 1, 0))

    def saved(self, image: str) -> bytes:
        """Return the image."""
        return self.archive

    @contextlib.contextmanager
    def started(self, image: str, how: Launch) -> Iterator[Launched]:
        """Yield this process."""
        yield Launched(os.getpid(), json.dumps({"Env": dict(how.environment), "Binds": [str(p) for p in how.files]}))

    def run(self, image: str) -> str:
        """Print nothing."""
        return ""

    def describe(self, image: str) -> BuiltImage:
        """Describe nothing."""
        return BuiltImage("fake", (), ())

    def close(self) -> None:
        """Remove what was built."""
        (self.disk / "image").unlink(missing_ok=True)


@dataclasses.dataclass
class FakeBuilders:
    """Opens the builder."""

    folder: Path

    @contextlib.contextmanager
    def open(self, name: str, timeout_s: float) -> Iterator[ImageBuilder]:
        """Yield it."""
        builder = FakeBuilder(self.folder)
        yield builder
        builder.close()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    image = Image(Path("none"), "sha256:0", b"{}", (), (), "tare/base:latest")
    monkeypatch.setattr(bases, "with_payload", lambda *_: image)
    monkeypatch.setattr(bases, "alone", lambda *_: image)
    made = FakeLab(tmp_path / "s")
    (made.paths.run / "b").mkdir(exist_ok=True)
    monkeypatch.setattr(Fake, "builders", FakeBuilders(tmp_path), raising=False)
    monkeypatch.setattr(Fake, "storage", lambda _: Store(tmp_path / "data/layers", "folder", ""), raising=False)
    monkeypatch.setattr(search, "in_process", lambda _, path, secret: {"environment": False, "file": "run" in path})
    yield made
    made.journal.close(done=True)


def data(folder: Path, lab: FakeLab, **params: tuple[str, ...]) -> ScenarioData:
    """Run the scenario and return what its report is made of."""
    one = small(["fake"], blocks=2, warmup_blocks=0, timeout_s=10.0)
    one = dataclasses.replace(one, procedure="secrets", params=params, primary=("secrets.places",))
    return pages.measured(folder, one, lab)


IMAGE_ROUTES = (
    "env",
    "build-arg",
    "copy-then-remove",
    "copy-all",
    "copy-all-ignored",
    "run-environment",
    "mounted-file",
)


def test_every_route_is_looked_for_at_every_place(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, route=IMAGE_ROUTES)
    assert set(found.outcomes["status"]) == {Status.OK}, found.outcomes["reason"].tolist()
    by_route = words.by_route(found, "fake")
    assert by_route["env"] == {"configuration", "history", "disk"}
    assert by_route["build-arg"] == {"history", "disk"}
    assert by_route["copy-all"] == {"layers", "disk"}
    assert by_route["copy-all-ignored"] == set()
    assert by_route["run-environment"] == {"inspect"}
    assert by_route["mounted-file"] == {"file"}


def test_table_has_a_row_a_route_and_a_column_a_place(tmp_path: Path, lab: FakeLab) -> None:
    grid = tables.tables(data(tmp_path, lab, route=IMAGE_ROUTES))[0]
    assert [row.text for row in grid.variants] == list(IMAGE_ROUTES)
    assert [column.title for column in grid.columns[1:]] == [*PLACES, "disk afterwards"]
    assert [cell.text for cell in grid.rows[0][1:]] == ["found", "found", "no", "no", "no", "no", "found", "no"]


def test_words_tell_routes_that_stay_in_the_image_from_those_that_do_not(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, route=IMAGE_ROUTES)
    said = words.words(found)
    assert "fake: the image keeps a secret passed by env, build-arg, copy-then-remove and copy-all" in said
    assert "Only the instance itself has it if passed by mounted-file" in said
    assert "It is found nowhere if passed by copy-all-ignored" in said
    assert words.finding(found) == "fake: 4 of 7 ways leave a secret in the image"
    assert benchmarks.notes(found)


def test_names_of_files_are_the_same_in_every_run() -> None:
    names = [f"containers/{'a1' * 32}/config.v2.json", f"containers/{'b2' * 32}/config.v2.json"]
    assert measure._plain(names) == ["containers/ID/config.v2.json"]


@pytest.mark.parametrize(
    "archive", [b"", tar({"other": b""}), tar({"manifest.json": b"[]"}), tar({"manifest.json": b"x"})]
)
def test_what_is_no_saved_image_is_a_failure(archive: bytes) -> None:
    with pytest.raises(InvocationFailed, match="is not an image"):
        saved_image.read(archive)


def test_secret_in_a_lower_layer_is_found_although_it_was_removed() -> None:
    archive = saved([tar({FILE: b"canary\n"}), tar({f".wh.{FILE}": b""})], {"config": {}})
    assert search.in_image(saved_image.read(archive), "canary") == {
        "configuration": False,
        "history": False,
        "layers": True,
    }


def test_contents_of_layers_are_counted_once_a_file() -> None:
    status = b"\nPackage: a\nStatus: install ok installed\n\nPackage: b\nStatus: deinstall ok config-files\n"
    first = tar({"bin/sh": b"x", "bin/su": b"x", "etc/x": b"x"}, {"bin/sh": 0o755, "bin/su": 0o4755})
    second = tar({"./bin/su": b"y", "./var/lib/dpkg/status": status}, {"./bin/su": 0o755})
    found = search.contents(saved_image.read(saved([first, second], {})))
    assert found == {"packages": 1, "files": 4, "executables": 2, "privileged": 0, "shells": 1}


SCANNER = """#!/bin/sh
[ "$1" = --version ] && { echo Application: syft; echo "syft 1.18.1"; exit; }
[ "$SYFT_CHECK_FOR_APP_UPDATE" = false ] && tar -tf "${1#docker-archive:}" manifest.json >/dev/null || exit 3
echo '{"components": [{"type": "library"}, {"type": "operating-system"}, {"type": "library"}]}'
"""


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a scanner on PATH, a script that reads the image and says what it was told to."""
    found = tmp_path / "programs/syft"
    found.parent.mkdir()
    found.write_text(SCANNER)
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(found.parent), prepend=":")
    return found


@pytest.fixture
def base(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the builder save a base image."""
    archive = saved([tar({"bin/sh": b"x"}, {"bin/sh": 0o755})], {})
    monkeypatch.setattr(FakeBuilder, "saved", lambda *_: archive)


def test_scanner_on_path_lists_what_an_image_carries(tmp_path: Path, lab: FakeLab, scanner: Path, base: None) -> None:
    found = data(tmp_path, lab, part=("images",))
    assert set(found.outcomes["status"]) == {Status.OK}, found.outcomes["reason"].tolist()
    (grid,) = tables.tables(found)
    row = dict(zip([column.title for column in grid.columns], grid.rows[0], strict=True))
    assert (row["listed by a scanner"].text, row["shells"].text) == ("2", "1")
    assert row["the scanner's time"].text.endswith("s")
    assert benchmarks.notes(found) == ["fake: listed by syft 1.18.1."]
    assert not list((lab.paths.run / "b").iterdir())
    assert "A scanner lists what an image carries in " in words.words(found)


def test_images_without_a_scanner_have_no_time_of_one(
    tmp_path: Path, lab: FakeLab, base: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbom, "_ARGUMENTS", {})
    found = data(tmp_path, lab, part=("images",))
    (grid,) = tables.tables(found)
    assert "the scanner's time" not in [column.title for column in grid.columns]
    assert {dict(one)["scanner"] for one in found.outcomes["notes"]} == {"none is on PATH"}


def test_scanner_that_fails_fails_the_invocation(tmp_path: Path, lab: FakeLab, scanner: Path, base: None) -> None:
    scanner.write_text("#!/bin/sh\necho no such image >&2; exit 1\n")
    found = data(tmp_path, lab, part=("images",))
    assert set(found.outcomes["status"]) == {Status.FAILED}
    assert "no such image" in found.outcomes["reason"].iloc[0]


@pytest.mark.parametrize("text", ["", "[]", '{"components": [1]}', '{"components": [{}]}'])
def test_list_in_another_form_is_a_failure(text: str) -> None:
    with pytest.raises(InvocationFailed, match="no list in CycloneDX's form"):
        sbom.packages(text)


def test_file_with_the_secret_is_found_on_a_disk(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"\0" * 5000 + b"canary")
    (tmp_path / "two").write_text("other")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("a/one")
    assert search.on_disk(tmp_path, "canary") == ["a/one"]


@pytest.mark.parametrize("name", list(ROUTES))
def test_context_has_the_secret_only_where_the_route_puts_it(tmp_path: Path, name: str) -> None:
    route = ROUTES[name]
    route.write(tmp_path, "base", "canary")
    holding = {path.name for path in tmp_path.iterdir() if "canary" in path.read_text()}
    assert holding == ({FILE} if route.in_context else set()) | ({"Dockerfile"} if name == "env" else set())
    assert (".dockerignore" in {path.name for path in tmp_path.iterdir()}) is route.ignored
    launch = route.launch("canary", Path("/outside"))
    assert dict(launch.environment) == ({NAME: "canary"} if route.variable else {})


def test_engine_that_builds_nothing_is_skipped(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Fake, "builders")
    found = data(tmp_path, lab, route=("env",))
    assert set(found.outcomes["status"]) == {Status.SKIPPED}
    assert "secrets.places" in words.words(found)


def test_truth_table_is_not_drawn(tmp_path: Path, lab: FakeLab) -> None:
    assert [plot.kind for plot in benchmarks.charts(data(tmp_path, lab, route=("env",)))] == []
