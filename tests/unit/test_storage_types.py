"""The storage-types procedure over the fake engine: each place's work and promise, and every way in which one can be broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, cast

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.storage_types import measure
from bench.core.errors import NotApplicable
from bench.core.metrics import METRICS
from bench.core.model import Status
from bench.engines.base import Bind, InstanceSpec, Kind
from bench.engines.fake import Fake
from bench.invocation import mounts
from bench.lab import Lab, images, tools
from bench.run import runner
from bench.scenario import parse_target, plan
from bench.workloads import fio
from tests.fakes import FakeLab, Speech, context, small, speaking

REPORT = (Path(__file__).parents[1] / "data/fio/report.json").read_text(encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    monkeypatch.setattr(tools, "folder", lambda *_: images.Artifact(Path("/nonexistent"), "ab" * 32))
    made = FakeLab(tmp_path / "s")
    (made.paths.run / "k").mkdir()
    yield made
    assert not [*(made.paths.run / "k").iterdir()], "the data of an invocation are left"
    made.journal.close(done=True)


def script(spec: InstanceSpec) -> list[str]:
    """Return the lines of the script that a job brings."""
    work = next(bind.source for bind in spec.binds if bind.name == "work")
    return (work / "script").read_text(encoding="utf-8").splitlines()


def saying(kept: str, *, written: str = "written", report: str = REPORT) -> Speech:
    """Return what the first instance says of its script, and the second of what it finds."""

    def speech(spec: InstanceSpec) -> list[str]:
        if spec.name.endswith("-again"):
            return [f"S kept {kept}", "E mounts"]
        said = []
        for line in script(spec):
            if line.startswith("keep "):
                said.append(f"S keep {written}")
            if line.startswith("run "):
                said += ["B run", *(f"O {text}" for text in report.splitlines() if text), "C run 0"]
            if line.startswith("storm "):
                count = line.rpartition(":")[2]
                said += [f"{letter} {name}{f' {count}' * (letter == 'C')}" for name in ACTIONS for letter in "BC"]
        return [*said, "S mount 22 1 254:0 / /data rw,relatime - ext4 /dev/vda rw", "E mounts"]

    return speech


ACTIONS = ("create", "stat", "rename", "unlink")


def run(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, kind: str, speech: Speech
) -> tuple[pd.DataFrame, pd.DataFrame, list[InstanceSpec]]:
    jobs = speaking(monkeypatch, speech)
    monkeypatch.setattr(mounts, "kind_of", lambda _: kind)
    # The captured report is of jobs that lasted two seconds, the fake's life is shorter.
    monkeypatch.setattr(fio, "_CLOCK_TOLERANCE", 1e9)
    one = small(["fake"], blocks=1, warmup_blocks=0, timeout_s=5.0)
    params = {"files": (20,), "file_bytes": (2**20,)}
    with context(tmp_path / "r", dataclasses.replace(one, procedure="storage-types", params=params), lab) as ready:
        runner.execute(ready, plan.build([*ready.scenarios.values()], 1), lambda *_: None)
    found = store.load(tmp_path / "r/r1")
    return store.measurements(found), store.outcomes(found), jobs


def test_writable_mount_has_every_metric(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, outcomes, jobs = run(tmp_path, lab, monkeypatch, "folder", saying("same"))
    assert list(outcomes["status"]) == ["ok"], outcomes["reason"].tolist()
    assert outcomes["notes"][0]["kept"] == "yes"
    assert outcomes["evidence"][0]["data_fs"] == "ext4"
    assert outcomes["evidence"][0]["fio"] == "3.33"
    wanted = {f"storage.{name}" for name in ("read_bytes_per_s", "write_bytes_per_s", "iops", "metadata_per_s")}
    assert set(numbers["metric"]) == wanted | {"storage.fsync_s", "storage.fsync_p99_s"}
    assert set(numbers["metric"]) <= set(METRICS)
    assert len(numbers) == 2 * len(fio.TESTS) + 2 + len(ACTIONS)
    assert [spec.name.endswith("-again") for spec in jobs] == [False, True]
    assert jobs[0].binds[-1] == jobs[1].binds[-1]


def test_read_only_mount_is_only_read(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts: list[list[str]] = []
    laid_out: list[int] = []
    speech = saying("absent", written="refused Read-only file system")

    def noting(spec: InstanceSpec) -> list[str]:
        if not spec.name.endswith("-again"):
            scripts.append(script(spec))
            laid_out.append((spec.binds[-1].source / fio.FILE).stat().st_size)
        return speech(spec)

    numbers, outcomes, jobs = run(tmp_path, lab, monkeypatch, "bind-ro", noting)
    assert list(outcomes["status"]) == ["ok"], outcomes["reason"].tolist()
    assert outcomes["notes"][0]["kept"] == "refused"
    assert jobs[0].binds[-1].read_only
    assert laid_out == [2**20]
    assert "--readonly" in scripts[0][1]
    assert [line.split()[0] for line in scripts[0]] == ["keep", "run", "mounts"]
    assert "storage.write_bytes_per_s" not in set(numbers["metric"])
    assert "storage.metadata_per_s" not in set(numbers["metric"])


@pytest.mark.parametrize(
    ("kind", "speech", "why"),
    [
        (
            "volume",
            saying("absent"),
            "'volume' are not kept as that place promises (yes): a second instance was to find",
        ),
        ("raw", saying("other"), "it says 'other'"),
        ("layer", saying("same"), "was to find the file 'absent', it says 'same'"),
        ("tmpfs", saying("same"), "'tmpfs' are not kept as that place promises (no)"),
        ("bind-ro", saying("absent"), "was to be 'refused Read-only file system', the instance says 'written'"),
        ("bind-ro", saying("absent", written="refused No space left on device"), "the instance says 'refused No space"),
        ("bind", saying("same", written="refused Read-only file system"), "was to be 'written'"),
        ("bind", saying("same", report=REPORT[:9000]), "no report that can be read"),
        ("bind", saying("same", report=REPORT.replace('"error" : 0', '"error" : 28')), "No space left on device"),
    ],
)
def test_mount_that_breaks_its_promise_fails(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, *, kind: str, speech: Speech, why: str
) -> None:
    numbers, outcomes, _ = run(tmp_path, lab, monkeypatch, kind, speech)
    assert list(outcomes["status"]) == [Status.FAILED.value]
    assert why in outcomes["reason"][0]
    assert numbers.empty


def test_missing_direct_io_is_absent_and_flagged(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    name = '"jobname" : "read-random-direct",\n      "groupid" : 2,\n      "error" : '
    assert f"{name}0" in REPORT
    numbers, outcomes, _ = run(
        tmp_path, lab, monkeypatch, "tmpfs", saying("absent", report=REPORT.replace(f"{name}0", f"{name}22"))
    )
    assert "fio read-random-direct: absent, Invalid argument" in outcomes["flags"][0]
    assert len(numbers) == 2 * (len(fio.TESTS) - 1) + 2 + len(ACTIONS)


class Storing(Fake):
    """A fake with a storage driver."""

    def storage(self) -> NoReturn:
        """There is none to look at."""
        raise NotImplementedError


class Containers(Storing):
    """A fake with a storage driver and images."""

    images = None


@pytest.mark.parametrize(
    ("made", "kind", "target", "mount"),
    [
        (Storing, "process", "host", "folder"),
        (Containers, "container", "docker", "layer"),
        (Containers, "container", "podman:mount=volume", "volume"),
        (Containers, "container", "containerd:mount=tmpfs", "tmpfs"),
        (Fake, "machine", "libvirt:disk=raw", "raw"),
    ],
)
def test_mount_kind_follows_from_engine_and_options(
    lab: FakeLab, made: type[Fake], kind: Kind, target: str, mount: str
) -> None:
    engine = made(parse_target(target), cast("Lab", lab))
    engine.kind = kind
    assert mounts.kind_of(engine) == mount


@pytest.mark.parametrize(
    ("kind", "target"),
    [("machine", "libvirt"), ("machine", "libvirt:disk=none"), ("container", "runc"), ("process", "sandbox")],
)
def test_engine_without_a_mount_is_skipped(lab: FakeLab, kind: Kind, target: str) -> None:
    class Bare(Fake):
        """A class of its own: isinstance() remembers that ``Fake`` had storage while another test gave it some."""

    engine = Bare(parse_target(target), cast("Lab", lab))
    engine.kind = kind
    with pytest.raises(NotApplicable, match="has no place for data"):
        mounts.kind_of(engine)


def test_direct_jobs_alone_leave_out_those_through_the_page_cache() -> None:
    writable = mounts.Data("volume", Bind("data", Path("/d")))
    chosen = measure.tests_of(writable, "direct")
    assert {test.cache for test in chosen} == {"direct"}
    assert set(measure.tests_of(writable, "all")) > set(chosen)
