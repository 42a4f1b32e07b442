"""Folders of the kernel whose entries vanish, change or are forbidden while they are read."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench import lab
from bench.core import kernelfiles, proc, proctable
from bench.engines.evidence import process
from bench.lab import cgroups, disks, journal, usage
from bench.probes import groups, limits
from bench.run import facts, preflight

ERRORS = (errno.ESRCH, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EIO, errno.ENODEV)


@pytest.fixture(params=ERRORS, ids=[errno.errorcode[number] for number in ERRORS])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Make every read of a path that contains one of the texts in the set fail with the error."""
    texts: set[str] = set()

    def fails(path: object) -> bool:
        return any(text in os.fspath(path) for text in texts)  # type: ignore[call-overload]

    def refuse(real: object) -> object:
        def call(path: object, *rest: object, **named: object) -> object:
            if isinstance(path, str | os.PathLike) and fails(path):
                raise OSError(request.param, os.strerror(request.param), os.fspath(path))
            return real(path, *rest, **named)  # type: ignore[operator]

        return call

    monkeypatch.setattr("io.open", refuse(open))
    for name in ("open", "readlink", "scandir", "stat", "lstat", "listdir"):
        monkeypatch.setattr(os, name, refuse(getattr(os, name)))
    yield texts
    texts.clear()


def fake_proc(folder: Path) -> Path:
    """Make a /proc with three processes: 1 and 3 in one network namespace, 2 in another; a mount holds a third one."""
    for pid, space in ((1, 11), (2, 22), (3, 11)):
        (folder / f"{pid}/ns").mkdir(parents=True)
        (folder / f"{pid}/ns/net").symlink_to(f"net:[{space}]")
        (folder / f"{pid}/cmdline").write_bytes(b"sleep\0tare-x\0")
    (folder / "thread-self").mkdir()
    (folder / "thread-self/mountinfo").write_bytes(
        b"1 0 0:4 net:[33] /run/netns/x rw - nsfs nsfs rw\n2 0 0:5 / /caf\xe9 rw - tmpfs t rw\n"
    )
    (folder / "self").mkdir()
    (folder / "meminfo").touch()
    return folder


def test_network_namespaces_of_processes_and_mounts_are_counted_once(tmp_path: Path) -> None:
    fake = fake_proc(tmp_path)
    assert lab.network_namespaces(fake) == 3
    assert lab.network_namespaces(fake, apart={kernelfiles.link(fake / "1/ns/net")}) == 2


def test_process_that_cannot_be_read_is_left_out(tmp_path: Path, broken: set[str]) -> None:
    fake = fake_proc(tmp_path)
    broken |= {f"{tmp_path}/2/"}
    assert lab.network_namespaces(fake) == 2
    assert proctable.with_argument("tare-x", fake) == {1, 3}


def test_folder_that_cannot_be_listed_is_empty(tmp_path: Path, broken: set[str]) -> None:
    fake = fake_proc(tmp_path)
    broken |= {str(tmp_path)}
    assert lab.network_namespaces(fake) == 0
    assert proctable.with_argument("tare-x", fake) == set()
    assert not kernelfiles.names(fake)
    assert not kernelfiles.folders(fake)
    assert not kernelfiles.pids(fake)


def test_listing_that_fails_midway_keeps_the_names_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    class Torn:
        """A folder that is removed after its first entry was read."""

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return self._entries()

        def __exit__(self, *_: object) -> None:
            pass

        def _entries(self) -> Iterator[os.DirEntry[str]]:
            yield first
            raise ProcessLookupError(errno.ESRCH, "gone")

    with os.scandir(tmp_path) as entries:
        first = next(entries)
    monkeypatch.setattr(os, "scandir", lambda _: Torn())
    assert kernelfiles.names(tmp_path) == [first.name]
    assert kernelfiles.folders(tmp_path) == [tmp_path / first.name]


def test_control_group_that_cannot_be_read_leaves_the_others(tmp_path: Path, broken: set[str]) -> None:
    for name, pid in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text(f"{pid}\n")
        (tmp_path / name / "memory.current").write_text("4096\n")
    broken |= {f"{tmp_path}/b"}
    (tmp_path / "a/cgroup.procs").write_text("0\n1\n")
    assert {pid for group in cgroups._tree(tmp_path) for pid in cgroups._pids(group)} == {1}
    assert groups.charged_below(tmp_path).usage_bytes == 4096


@pytest.mark.parametrize("gone", ["/proc", "/sys"])
def test_host_that_forbids_a_kernel_folder_is_described_all_the_same(broken: set[str], gone: str) -> None:
    broken |= {gone}
    assert facts.host().values["kernel"]
    assert all(verdict.says for verdict in preflight.noise())
    assert cgroups.dying() == 0 or gone != "/sys", "what cannot be counted is not there"
    assert disks.loops_below(Path("/nonexistent")) == []
    assert isinstance(limits.counters(), list)
    process.family(os.getpid())
    process.arguments(os.getpid())


def test_mount_table_with_foreign_rows_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mount points that are not UTF-8, that have other blanks than the kernel escapes, sources without a name."""
    table = (
        b" /empty tmpfs rw 0 0\n"
        b"x /caf\xe9 tmpfs rw 0 0\n"
        b"x /odd\xc2\xa0name\x0c tmpfs rw 0 0\n"
        b"cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    )
    (tmp_path / "mounts").write_bytes(table)
    found = cgroups.parse_mounts(kernelfiles.text(tmp_path / "mounts"))
    assert (found.version, found.accounting) == (2, Path("/sys/fs/cgroup"))
    info = "5 1 0:4 / / rw - overlay  rw\n6 5 0:9 / /odd\x0c rw - tmpfs t rw\ntorn line\n"
    assert process.root_file_system(info) == "overlay"
    monkeypatch.setattr(kernelfiles, "table", lambda _: kernelfiles.split(info))
    assert usage.file_system(tmp_path)[0] in ("overlay", "unknown")


def test_journal_with_foreign_bytes_ends_at_them(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"kind": "folder", "path": "/x"}\n\xff\xfe\n{"kind": "folder", "path": "/y"}\n')
    assert [entry["path"] for entry in journal.read(path)] == ["/x"]
    path.write_bytes(b"[1]\n")
    assert journal.read(path) == []


def test_storm_of_short_processes_does_not_disturb_readers() -> None:
    stop = threading.Event()

    def storm() -> None:
        while not stop.is_set():
            started = [proc.spawn(["/bin/true"]) for _ in range(8)]
            for one in started:
                one.wait(30)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(60):
            assert lab.network_namespaces() >= 1
            proctable.with_argument("no such argument")
            proctable.children_of(os.getpid())
            process.family(os.getpid())
            limits.counters()
    finally:
        stop.set()
        thread.join()


def test_no_module_lists_kernel_folders_with_a_glob() -> None:
    """``Path.glob`` and ``Path.iterdir`` raise when an entry of /proc vanishes; ``kernelfiles`` does not."""
    package = Path(bench.__file__).parent
    naming = [
        (path, line)
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(f'"{folder}' in line for folder in ("/proc", "/sys", "/dev"))
    ]
    assert len(naming) > 20, "the search finds the lines that name such folders"
    assert not [one for one in naming if any(call in one[1] for call in (".glob(", ".rglob(", ".iterdir(", "os.walk("))]


@pytest.mark.parametrize(
    ("stamp", "scheduling", "helps"),
    [("c", "SCHED_FIFO", ""), ("c", "SCHED_OTHER", "run as root"), ("python", "SCHED_FIFO", "install a C compiler")],
)
def test_doctor_says_what_stamps_events_and_what_helps(stamp: str, scheduling: str, helps: str) -> None:
    verdict = preflight.stamps({"stamp": stamp, "scheduling": scheduling})
    assert verdict.ok is not bool(helps)
    assert scheduling in verdict.says
    assert verdict.remedy.startswith(helps)
    assert bool(verdict.remedy) is bool(helps)
