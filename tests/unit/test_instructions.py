"""The benchmark of instructions over a fake builder: what is counted, what deviates, words and table."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.benchmarks.instructions import measure, tables, words
from bench.benchmarks.instructions.measure import DOCUMENTED, FEW, INSTRUCTIONS
from bench.core.model import Status
from bench.display.data import ScenarioData
from bench.engines.abilities import Build
from bench.engines.fake import Fake
from bench.lab import bases, images
from bench.lab.images import Image
from bench.run import runner
from bench.scenario import plan
from bench.workloads.build import Built
from tests import pages
from tests.fakes import FakeLab, context, small


def tar(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def image(layers: list[bytes], history: int) -> bytes:
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "c.json", "Layers": names}]).encode()
    whole = json.dumps({"config": {}, "history": [{}] * history}).encode()
    return tar({**dict(zip(names, layers, strict=True)), "c.json": whole, "manifest.json": manifest})


class FakeBuilder:
    """Adds a layer for the instructions that ``add`` names; those of ``empty`` have nothing in it."""

    who = "fake 1"
    add: frozenset[str] = DOCUMENTED
    empty: frozenset[str] = frozenset({"run-nothing"})

    def add_base(self, image: Image) -> str:
        """Return its id."""
        return "base"

    def build(self, folder: Path) -> Build:
        """Remember which instruction it is."""
        line = (folder / "Dockerfile").read_text().splitlines()[1]
        (name,) = (name for name, text in INSTRUCTIONS.items() if text == line)
        return Build(1, Built(name, 1, 0))

    def saved(self, name: str) -> bytes:
        """Return the image."""
        added = [tar({} if name in self.empty else {"file": b"x"})] if name in self.add else []
        return image([tar({"bin/sh": b""}), *added], 1 + (name != "base"))


@dataclasses.dataclass
class FakeBuilders:
    """Opens the builder."""

    builder: FakeBuilder

    @contextlib.contextmanager
    def open(self, name: str, timeout_s: float) -> Iterator[FakeBuilder]:
        """Yield it."""
        yield self.builder


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> FakeBuilder:
    made = FakeBuilder()
    monkeypatch.setattr(Fake, "builders", FakeBuilders(made), raising=False)
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    base = Image(Path("none"), "sha256:0", b"{}", (), (), "tare/base:latest")
    monkeypatch.setattr(bases, "alone", lambda *_: base)
    return made


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[FakeLab]:
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


def data(folder: Path, lab: FakeLab, only: str = "all") -> ScenarioData:
    one = small(["fake"], blocks=2, warmup_blocks=0, timeout_s=5.0)
    one = dataclasses.replace(one, procedure="instructions", params={"only": (only,)}, primary=("instruction.layers",))
    with context(folder, one, lab) as ctx:
        runner.execute(ctx, plan.build([one], 1), lambda *_: None)
    found = pages.collected(folder / "r1").scenarios[0]
    return dataclasses.replace(found, meta={**found.meta, "procedure": "instructions", "baseline": "fake"})


def rows(found: ScenarioData) -> dict[str, str]:
    (grid,) = tables.tables(found)
    return {row[0].text: row[1].line for row in grid.rows}


def test_layers_are_counted_for_every_instruction(tmp_path: Path, lab: FakeLab, builder: FakeBuilder) -> None:
    found = data(tmp_path, lab)
    assert set(found.outcomes["status"]) == {Status.OK}, found.outcomes["reason"].tolist()
    told = rows(found)
    assert list(told) == list(INSTRUCTIONS.values())
    assert (told["ENV NAME=value"], told["RUN true"], told["COPY file /copied"]) == ("0", "1 (empty)", "1")
    assert tables.deviations(found) == []
    said = words.words(found)
    assert "5 of 21 instructions add a layer, run-writes, run-nothing, copy, add and add-archive" in said
    assert "Empty layers: run-nothing" in said
    assert words.finding(found) == "fake: 5 of 21 instructions add a layer"


def test_few_instructions_are_tried_if_asked(tmp_path: Path, lab: FakeLab, builder: FakeBuilder) -> None:
    assert list(rows(data(tmp_path, lab, "few"))) == [INSTRUCTIONS[name] for name in FEW]


def test_layer_against_the_documentation_is_named_with_the_version(
    tmp_path: Path, lab: FakeLab, builder: FakeBuilder
) -> None:
    builder.add = DOCUMENTED - {"copy"} | {"workdir-new"}
    found = data(tmp_path, lab)
    (said,) = tables.deviations(found)
    assert said == "fake (fake 1): COPY file /copied adds 0; WORKDIR /made adds 1. Not as documented."
    assert said.removesuffix(".") in words.words(found)
    assert said in tables.notes(found)


def test_engine_that_builds_nothing_is_skipped(
    tmp_path: Path, lab: FakeLab, builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Fake, "builders")
    found = data(tmp_path, lab)
    assert set(found.outcomes["status"]) == {Status.SKIPPED}
    assert "builds no images" in tables.notes(found)[0]
    assert "instruction.layers" in words.words(found)


@pytest.mark.parametrize(("layer", "filled"), [(b"", False), (tar({}), False), (tar({"file": b""}), True)])
def test_layer_is_filled_if_there_is_an_entry(layer: bytes, filled: bool) -> None:
    assert measure.is_filled(layer) is filled


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_context_has_the_files_of_every_instruction(tmp_path: Path, name: str) -> None:
    measure.write(tmp_path, "base", name)
    first, line = (tmp_path / "Dockerfile").read_text().splitlines()
    assert (first, line) == ("FROM base", INSTRUCTIONS[name])
    words_of = line.split()
    assert words_of[0] not in ("COPY", "ADD") or (tmp_path / words_of[1]).exists()
