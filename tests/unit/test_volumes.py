"""The benchmark of mounts over a scripted engine: every case, every deviation, words and tables."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import benchmarks, scenario
from bench.benchmarks.volumes import changes, removal, size, tables, words
from bench.benchmarks.volumes.changes import CHANGES
from bench.core.clock import Channel, Line
from bench.core.errors import InvocationFailed
from bench.core.model import Status
from bench.display.data import ScenarioData
from bench.engines.abilities import Volume
from bench.engines.base import Bind, Instance, InstanceSpec
from bench.engines.fake import Fake
from bench.invocation import poke
from bench.invocation.group import Group
from bench.lab import images
from bench.run import runner
from bench.scenario import plan
from tests import pages
from tests.fakes import FakeLab, context, small

ALL = tuple(str(one) for one in benchmarks.get("volumes").params["case"].allowed)


@dataclasses.dataclass
class Volumes:
    """The volumes of the fake engine, which stay or go as documented unless it ``forgets`` its promises."""

    there: set[str] = dataclasses.field(default_factory=set)
    forgets: bool = False
    content: str = "same"

    def version(self) -> str:
        """Return a version."""
        return "Fake 1"

    def of(self, instance: Instance, bind: Bind) -> Volume:
        """Return the volume, which the engine names where the bind is anonymous."""
        name = bind.source.name if bind.kind == "volume" else f"{instance.name}-anonymous"
        self.there.add(name)
        return Volume(name, bind.source)

    def exists(self, name: str) -> bool:
        """Say whether it is there."""
        return name in self.there

    def remove_instance(self, instance: Instance, *, volumes: bool) -> None:
        """Remove what is anonymous, if asked."""
        if volumes and not self.forgets:
            self.there -= {name for name in self.there if name.endswith("anonymous")}

    def remove(self, bind: Bind) -> None:
        """Remove a volume."""
        self.there.discard(bind.source.name)


@dataclasses.dataclass
class World:
    """What the fake payload finds: ``sees`` the other side, ``hears`` of it by inotify, is ``full`` at a multiple of the size."""

    volumes: Volumes
    sees: bool = True
    hears: bool = True
    full: float = 1.0
    charged: bool = True
    killed: bool = True
    dead: str | None = None
    kills: int = 0
    shared: int = 0
    events: Path = Path("none")

    def lines(self, spec: InstanceSpec) -> list[str]:
        """Return what the payload says at once."""
        words = spec.command(inside=True)
        if "--keep" in words:
            return ["S keep written"]
        if "--kept" in words:
            return [f"S kept {self.volumes.content}"]
        if "--fill" in words:
            return self.filled(spec)
        return ["B watch"] if "--watch" in words else []

    def filled(self, spec: InstanceSpec) -> list[str]:
        """Return how far the payload comes with a tmpfs."""
        (bind,) = spec.binds
        assert bind.size_bytes is not None
        assert spec.memory_bytes is not None
        if bind.size_bytes > spec.memory_bytes:
            self.kills += self.killed
            self.dead = "the container ended with signal SIGKILL" if self.killed else None
            return [f"M fill {spec.memory_bytes - 2**20}", *([] if self.killed else ["S fill all", "C fill 9"])]
        written = round(bind.size_bytes * self.full)
        self.shared = written if self.charged else 0
        return ["B fill", "S fill No space left on device", f"C fill {written}"]


class FakeGroup:
    """The control group of an instance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.read = iter((0, None))

    def memory_stat(self, name: str) -> int:
        """Return nothing at first, then what is in the tmpfs."""
        assert name == "shmem"
        return 0 if next(self.read, None) == 0 else self.world.shared

    def oom_kills(self) -> int:
        """Return nothing at first, then what the payload has met."""
        return 0 if next(self.read, None) == 0 else self.world.kills


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Volumes())
    create, start = Fake.create, Fake.start

    def record(self: Fake, spec: InstanceSpec) -> Instance:
        instance = create(self, spec)
        instance.handle["spec"] = spec
        return dataclasses.replace(instance, pids=lambda: {1}, alive=lambda: made.dead)

    def speak(self: Fake, instance: Instance) -> None:
        start(self, instance)
        made.dead, made.events = None, instance.handle["events"]
        say(instance.handle["events"], made.lines(instance.handle["spec"]))

    monkeypatch.setattr(Fake, "create", record)
    monkeypatch.setattr(Fake, "start", speak)
    monkeypatch.setattr(Fake, "volumes", made.volumes, raising=False)
    return made


def say(events: Path, lines: list[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(events))
        for line in lines:
            sock.send(f"{line}\n".encode())


def reports(world: World, *changes: str) -> list[str]:
    seen = [f"S seen {change}" for change in changes if world.sees]
    return [*seen, *(f"S notified {change}" for change in changes if world.hears)]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Iterator[FakeLab]:
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    monkeypatch.setattr(size, "of_instance", lambda _: FakeGroup(world))
    monkeypatch.setattr(changes, "_check_order", lambda *_: None)  # the fake payload does not wait
    made_change = changes.apply

    def applied(folder: Path, change: str) -> None:
        made_change(folder, change)
        say(world.events, [*reports(world, change), *(["E watch"] if change == CHANGES[-1] else [])])

    def told(instance: Instance, channel: Channel) -> bool:
        whole = any(line.text == "E watch" for line in channel.lines)
        say(instance.handle["events"], ["B change", "C change 4"] if whole else [])
        return True

    @contextlib.contextmanager
    def watching(*_: object) -> Iterator[tuple[Channel, Callable[[], str | None]]]:
        channel = Channel(Path("none"), "datagram", lambda _: None)
        channel.lines = [Line(1.0, text) for text in ("B watch", *reports(world, *CHANGES), "E watch")]
        yield channel, lambda: None

    monkeypatch.setattr(changes, "apply", applied)
    monkeypatch.setattr(poke, "go_on", told)
    monkeypatch.setattr(changes, "_watching", watching)
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


def data(folder: Path, lab: FakeLab, *cases: str) -> ScenarioData:
    """Run the cases and return what their report is made of."""
    one = small(["fake"], blocks=2, warmup_blocks=0, timeout_s=5.0)
    params: dict[str, tuple[str | int, ...]] = {"case": cases, "milliseconds": (50,)}
    one = dataclasses.replace(one, procedure="volumes", params=params, primary=("volumes.outlives", "volumes.seen"))
    with context(folder, one, lab) as ctx:
        runner.execute(ctx, plan.build([one], 1), lambda *_: None)
    found = pages.collected(folder / "r1").scenarios[0]
    return dataclasses.replace(found, meta={**found.meta, "procedure": "volumes", "baseline": "fake"})


def ok(found: ScenarioData) -> ScenarioData:
    assert set(found.outcomes["status"]) == {Status.OK}, found.outcomes["reason"].tolist()
    return found


def texts(found: ScenarioData, title: str) -> list[list[str]]:
    (grid,) = (grid for grid in tables.tables(found) if grid.title.startswith(title))
    return [[cell.line for cell in row] for row in grid.rows]


def test_every_case_of_the_scenario_is_measured(tmp_path: Path, lab: FakeLab) -> None:
    assert set(scenario.load(scenario.find("volumes"))[0].params["case"]) == set(ALL)
    found = ok(data(tmp_path, lab, *ALL))
    assert texts(found, "What becomes") == [["fake", "stays", "stays", "stays", "goes"]]
    assert [row[0] for row in texts(found, "What the host")] == [
        f"fake ({kind})" for kind in ("bind", "tmpfs", "volume")
    ]
    assert texts(found, "How much") == [["fake", "1.00", "yes", "killed", "0.984"]]
    assert benchmarks.charts(found) == []


def test_nothing_of_a_case_is_left(tmp_path: Path, lab: FakeLab, world: World) -> None:
    ok(data(tmp_path, lab, *ALL))
    assert world.volumes.there == set()
    assert not [path for path in (lab.paths.run / "k").glob("*") if path.name.endswith("data")]


def test_volume_that_stays_against_the_documentation_is_named_with_the_version(
    tmp_path: Path, lab: FakeLab, world: World
) -> None:
    world.volumes.forgets = True
    found = ok(data(tmp_path, lab, *removal.DOCUMENTED))
    assert texts(found, "What becomes") == [["fake", "stays", "stays", "stays", "stays (not as documented)"]]
    (said,) = tables.deviations(found)
    assert "(Fake 1): the volume stays, documented is that it goes." in said
    assert said.removesuffix(".") in words.words(found)
    assert words.finding(found) == "3 of 4 volumes stay or go as documented"


def test_volume_with_other_content_has_not_outlived_its_container(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.volumes.content = "other"
    found = ok(data(tmp_path, lab, "named-rm"))
    assert texts(found, "What becomes") == [["fake", "goes (not as documented)"]]


def test_mount_without_inotify_shows_every_change_and_tells_of_none(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.hears = False
    found = ok(data(tmp_path, lab, "bind-changes"))
    assert {cell for row in texts(found, "What the host") for cell in row[1:]} == {"seen (not told)"}
    said = words.words(found)
    assert "Every change is seen on the other side of all 1 shared mounts" in said
    assert "inotify misses changes across fake (bind)" in said
    assert words.finding(found) == "1 of 1 mounts show every change"


def test_mount_that_shows_nothing_is_told(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.sees = world.hears = False
    found = ok(data(tmp_path, lab, "bind-changes"))
    assert {cell for row in texts(found, "What the instance") for cell in row[1:]} == {"not seen"}
    assert "Some changes are not seen on the other side of fake (bind)" in words.words(found)


def test_tmpfs_that_keeps_no_size_and_counts_for_nobody_is_told(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.full, world.charged, world.killed = 2.0, False, False
    found = ok(data(tmp_path, lab, "tmpfs-size", "tmpfs-beyond-memory"))
    assert texts(found, "How much")[0][1:4] == ["2.00", "no", "not killed"]
    said = words.words(found)
    assert "A tmpfs is not full at the requested size: fake 2.00×" in said
    assert "It does not count as the container's memory in fake" in said
    assert "The container survives going beyond its memory limit in fake" in said


def test_container_that_fails_is_not_said_to_live_on(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        msg = "nothing is known of it"
        raise InvocationFailed(msg)

    monkeypatch.setattr(size, "killed_for_memory", fails)
    found = data(tmp_path, lab, "tmpfs-size", "tmpfs-beyond-memory")
    assert texts(found, "How much") == [["fake", "1.00", "yes"]]
    assert "lives on" not in words.words(found)


def test_engine_without_volumes_is_skipped_with_the_reason(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Fake, "volumes")
    found = data(tmp_path, lab, "named-rm", "volume-changes")
    assert set(found.outcomes["status"]) == {Status.SKIPPED}
    assert "volumes metric" in words.words(found)
    assert tables.notes(found) == ["fake: 'fake' keeps no volumes (2 cases)."]


@pytest.mark.parametrize(
    "refused",
    [
        ("process", "tmpfs-changes", "is a plain process, which has no tmpfs of its own"),
        ("process", "tmpfs-size", "gives an instance no file system in memory"),
        ("machine", "bind-changes", "shares no folder with the host; use disk=shared"),
        ("machine", "tmpfs-size", "gives an instance no file system in memory"),
    ],
)
def test_mount_that_a_target_does_not_have_is_refused(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, refused: tuple[str, str, str]
) -> None:
    kind, case, says = refused
    monkeypatch.setattr(Fake, "kind", kind)
    found = data(tmp_path, lab, case)
    assert set(found.outcomes["status"]) == {Status.SKIPPED}
    assert says in found.outcomes["reason"].iloc[0]


def test_changes_of_the_host_are_what_the_payload_looks_for(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    changes._lay_out(folder)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert before == {"modify": "old", "replace": "old", "remove": "old"}
    inodes = {path.name: path.stat().st_ino for path in folder.iterdir()}
    for change in CHANGES:
        changes.apply(folder, change)
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
        ("create", "modify", "replace"), "new"
    )
    assert (folder / "modify").stat().st_ino == inodes["modify"], "changed in place"
    assert (folder / "replace").stat().st_ino != inodes["replace"]


@pytest.mark.parametrize(
    ("ended", "before", "after", "killed"),
    [
        (None, 0, 0, False),
        ("the container ended with signal SIGKILL", 0, 1, True),
        ("the container ended with signal SIGKILL", 1, 1, False),
        ("the container ended with signal SIGKILL", 0, None, True),
        ("the container ended with exit code 71", 0, None, False),
    ],
)
def test_kill_is_believed_only_with_proof(
    ended: str | None, before: int | None, after: int | None, killed: bool
) -> None:
    assert size.killed_for_memory(ended, before, after) is killed


@pytest.mark.parametrize(("version", "folders"), [(1, {"memory": "m"}), (2, {"": "m"})], ids=["version 1", "version 2"])
def test_entry_of_a_groups_memory_is_read_by_name(tmp_path: Path, version: int, folders: dict[str, str]) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/memory.stat").write_text("file 5\nshmem 4096\n")
    group = Group(version, {name: tmp_path / folder for name, folder in folders.items()})
    assert (group.memory_stat("shmem"), group.memory_stat("none")) == (4096, None)
