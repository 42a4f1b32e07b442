"""ZFS without a kernel that has it: pools of the lab, the role that builds it, and what a guest gets of it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bench.benchmarks.storage_drivers import cache
from bench.core import kernelfiles
from bench.core.errors import LabError, NotApplicable
from bench.engines import kernels
from bench.engines.docker import images
from bench.hosts.ansible import playbook_dir
from bench.lab import commands, disks, journal, sweep, usage, zpools
from bench.lab.disks import Disks
from bench.lab.paths import Paths
from bench.run.inside import kernel
from bench.scenario import parse_target

DATA = Path(__file__).parent.parent / "data" / "zfs"
SCRIPTS = playbook_dir() / "roles/zfs/files"


class Programs:
    """Records commands and answers those that the test names; all others succeed and print nothing."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.answers: dict[str, list[str | LabError]] = {}
        self.pools: set[str] = set()
        self.before_create: Callable[[], None] = lambda: None

    def run(self, argv: list[str]) -> str:
        """Record a command and return the next answer for it; the last answer is repeated."""
        self.ran.append(argv)
        answers = self.answers.get(" ".join(argv[:2]), [""])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, LabError):
            raise answer
        if argv[:2] == ["zpool", "create"]:
            self.before_create()
            self.pools.add(argv[-2])
        if argv[:2] == ["zpool", "destroy"]:
            self.pools.discard(argv[-1])
        return answer

    def status(self, argv: Sequence[str]) -> int:
        """Answer whether a pool exists, as ``zpool list`` does."""
        self.ran.append([*argv])
        return int(argv[:2] == ["zpool", "list"] and argv[2] not in self.pools)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    """Return the programs of a host whose kernel has zfs."""
    fakes = Programs()
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/filesystems").write_text("nodev\tproc\n\text4\nnodev\tzfs\n")
    monkeypatch.setattr(kernelfiles, "PROC", tmp_path / "proc")
    for module in (commands, disks, usage):
        monkeypatch.setattr(module, "run", fakes.run)
    monkeypatch.setattr(commands, "status", fakes.status)
    monkeypatch.setattr(zpools, "_missing", list)
    return fakes


class Namespace:
    """Records set-up commands in the list of all commands."""

    def __init__(self, fakes: Programs) -> None:
        self.run = fakes.run


@pytest.fixture
def own(host: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disks:
    """Return the disks of a lab on that host."""
    host.answers["losetup --find"] = ["/dev/loop7\n"]
    monkeypatch.setattr(disks, "_loops", list)
    paths = Paths.of("aa", tmp_path)
    paths.make()
    return Disks(paths, journal.Journal(paths.journal), cast("Any", Namespace(host)))


def test_kernel_without_zfs_is_refused(host: Programs, tmp_path: Path) -> None:
    (tmp_path / "proc/filesystems").write_text("nodev\tproc\n\text4\n")
    with pytest.raises(LabError, match="the kernel has no zfs"):
        zpools.load()
    assert host.ran == [["modprobe", "--quiet", "zfs"]]


def test_host_without_the_programs_of_zfs_is_refused(host: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zpools, "_missing", lambda: ["zpool"])
    with pytest.raises(LabError, match="programs are not installed: zpool"):
        zpools.load()
    assert host.ran == []


def test_loaded_zfs_is_not_loaded_again(host: Programs) -> None:
    zpools.load()
    assert host.ran == []


def test_remedy_for_zfs_names_its_provisioning_and_the_guest() -> None:
    target = parse_target("docker:storage=zfs")
    for said in (images.remedy(target), kernels.remedy("zfs", target)):
        assert "'tare provision zfs'" in said
        assert "tare run storage-drivers -t docker:storage=zfs --inside libvirt:guest=full" in said
    assert "provision" not in kernels.remedy("devicemapper", target)


def test_pool_is_journalled_before_it_is_made_and_destroyed_after_its_mount(own: Disks, host: Programs) -> None:
    at = own.paths.run / "dockerd-zfs/root"
    noted: list[str] = []
    host.before_create = lambda: noted.extend(str(entry["kind"]) for entry in journal.read(own.paths.journal))
    own.file_system("zfs", at)
    own.file_system("zfs", at)
    own.close()
    assert noted == ["zpool", "loop"]
    name = "tare-aa-dockerd-zfs-root"
    words = [" ".join(argv) for argv in host.ran]
    (made,) = [line for line in words if line.startswith("zpool create")]
    assert made.endswith(f"-O mountpoint=legacy {name} /dev/loop7")
    assert "cachefile=none" in made  # the host's list of pools stays as it is
    order = [
        words.index(line) for line in (made, f"mount -t zfs {name} {at}", f"umount {at}", f"zpool destroy -f {name}")
    ]
    assert order == sorted(order)
    assert host.pools == set()
    assert own.journal.left == []


def test_pool_that_could_not_be_made_is_not_left(own: Disks, host: Programs) -> None:
    host.answers["zpool create"] = [LabError("cannot create")]
    with pytest.raises(LabError, match="cannot create"):
        own.file_system("zfs", own.paths.run / "dockerd-zfs/root")
    own.close()
    assert own.journal.left == []


def test_pool_that_cannot_be_destroyed_stays_in_the_journal(
    own: Disks, host: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zpools, "_GONE_S", 0.0)
    own.file_system("zfs", own.paths.run / "host-zfs")
    host.answers["zpool destroy"] = [LabError("pool is busy")]
    own.close()
    assert own.journal.left == [{"kind": "zpool", "name": "tare-aa-aa-host-zfs"}]
    own.journal.close(done=True)
    assert own.paths.journal.exists()


def test_pool_that_is_still_used_is_destroyed_once_it_is_not(host: Programs) -> None:
    host.pools = {"tare-aa-x"}
    host.answers["zpool destroy"] = [LabError("pool is busy"), ""]
    assert zpools.destroy("tare-aa-x")
    assert [argv[1] for argv in host.ran] == ["list", "destroy", "list", "destroy", "list"]


def test_pool_that_stays_in_use_is_reported(host: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zpools, "_GONE_S", 0.0)
    host.pools = {"tare-aa-x"}
    host.answers["zpool destroy"] = [LabError("pool is busy")]
    assert not zpools.destroy("tare-aa-x")


def test_sweep_destroys_the_pool_of_a_dead_run(host: Programs) -> None:
    host.pools = {"tare-aa-x", "tank"}
    entry = {"kind": "zpool", "name": "tare-aa-x"}
    seen = sweep.undone(entry, {}, True)
    assert seen is not None
    assert (seen.kind, seen.name, seen.gone) == ("zfs pool", "tare-aa-x", False)
    swept = sweep.undone(entry, {}, False)
    assert swept is not None
    assert swept.gone
    assert host.pools == {"tank"}
    assert sweep.undone(entry, {}, False) is None


def test_sweep_asks_for_no_pool_where_zfs_is_not_loaded(host: Programs, tmp_path: Path) -> None:
    (tmp_path / "proc/filesystems").write_text("\text4\n")
    assert sweep.undone({"kind": "zpool", "name": "tare-aa-x"}, {}, False) is None
    assert host.ran == []


def test_dataset_use_is_read_after_everything_is_written_and_freed(host: Programs, tmp_path: Path) -> None:
    host.answers["zpool get"] = ["131072\n", "0\n"]
    host.answers["zfs get"] = ["1245184\n"]
    assert usage.Store(tmp_path, "dataset", "tank/docker").used_bytes() == 1245184
    assert [argv[:2] for argv in host.ran] == [
        ["zpool", "sync"],
        ["zpool", "get"],
        ["zpool", "sync"],
        ["zpool", "get"],
        ["zfs", "get"],
    ]
    assert [argv[-1] for argv in host.ran] == ["tank", "tank", "tank", "tank", "tank/docker"]


@pytest.mark.parametrize("said", ["", "-\n", "1.2M\n"])
def test_use_that_is_no_number_is_refused(host: Programs, said: str) -> None:
    host.answers["zfs get"] = [said]
    with pytest.raises(LabError, match="does not say how much 'tank' uses"):
        zpools.used_bytes("tank")


def test_device_of_a_pool_is_read_from_its_list(host: Programs) -> None:
    """Captured inside a guest with zfs 2.1.11."""
    host.answers["zpool list"] = [(DATA / "list.txt").read_text()]
    assert zpools.device_of("tare-aa/x") == "/dev/loop0"
    host.answers["zpool list"] = ["tank\t1\t2\n"]
    assert zpools.device_of("tank") == "unknown"


def test_folder_on_zfs_is_a_dataset_only_where_it_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "file_system", lambda _: ("zfs", "tank/home"))
    for readable, kind in ((True, "dataset"), (False, "file system")):
        monkeypatch.setattr(zpools, "readable", lambda readable=readable: readable)
        assert usage.store_of(tmp_path).kind == kind


def test_page_cache_of_zfs_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ground:
        store = usage.Store(tmp_path)

    monkeypatch.setattr(usage, "file_system", lambda _: ("zfs", "tank/home"))
    with pytest.raises(NotApplicable, match="cache of its own"):
        cache._refuse_own_cache(cast("Any", Ground()))
    monkeypatch.setattr(usage, "file_system", lambda _: ("btrfs", "/dev/loop0"))
    cache._refuse_own_cache(cast("Any", Ground()))


SOURCES = """\
deb [signed-by=/k.gpg] http://a/debian/ bookworm main
deb [signed-by=/k.gpg] http://a/debian/ bookworm non-free
deb http://a/security/ bookworm-security main
deb http://a/security/ bookworm-security contrib
"""


def test_section_contrib_is_added_to_each_archive_that_has_main() -> None:
    done = subprocess.run([str(SCRIPTS / "contrib.sh")], input=SOURCES, capture_output=True, text=True, check=True)
    added = "deb [signed-by=/k.gpg] http://a/debian/ bookworm contrib"
    assert sorted(done.stdout.splitlines()) == sorted([*SOURCES.splitlines(), added])


def built(folder: Path, archive: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the role's script with an archive that has these packages, and with no way to build anything."""
    tools = folder / "bin"
    tools.mkdir()
    fakes = {
        "apt-get": f'[ "$1" = update ] || echo {shlex.quote("Debian http://a/debian/ bookworm main")}',
        "apt-config": "true",
        "apt-cache": f'case " {" ".join(archive)} " in *" $2 "*) ;; *) exit 100 ;; esac',
        "unshare": 'cat "$TARE_LIST"; echo "E: it cannot be built here" >&2; exit 1',
        "mmdebstrap": "false",
    }
    for name, text in fakes.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    scripts = folder / "scripts"
    scripts.mkdir()
    for script in (*SCRIPTS.glob("*.sh"), playbook_dir() / "files/archive.sh"):
        (scripts / script.name).write_bytes(script.read_bytes())
        (scripts / script.name).chmod(0o755)
    (folder / "inside").mkdir()
    (folder / "inside/version").write_text("6.1.0-57-amd64\n")
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "SUITE": "bookworm", "TARE_LIST": "/dev/null"}
    argv = [str(scripts / "zfs.sh"), str(folder), "digest"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def test_kernel_whose_headers_left_the_archive_is_refused_with_the_remedy(tmp_path: Path) -> None:
    done = built(tmp_path, ["linux-headers-6.1.0-58-amd64"])
    assert done.returncode == 1
    assert "no linux-headers-6.1.0-57-amd64 any more" in done.stderr
    assert "'tare provision guest_images zfs'" in done.stderr
    assert list((tmp_path / "zfs").iterdir()) == []


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    done = built(tmp_path, ["linux-headers-6.1.0-57-amd64"])
    assert done.returncode == 1
    assert "it cannot be built here" in done.stderr
    assert list((tmp_path / "zfs").iterdir()) == []


def test_zfs_of_a_guest_is_that_of_its_kernel(tmp_path: Path) -> None:
    home = tmp_path / "6.1.0-57-amd64"
    home.mkdir()
    (home / "version").write_text("2.1.11-1+deb12u1\n")
    (home / "digest").write_text("0123456789abcdef0123\n")
    assert kernel.zfs_of(tmp_path, "6.1.0-57-amd64") is None, "half a build has no stamp"
    (home / "stamp").write_text("digest\n")
    assert kernel.zfs_of(tmp_path, "6.1.0-58-amd64") is None
    found = kernel.zfs_of(tmp_path, "6.1.0-57-amd64")
    assert found is not None
    assert found.modules == home / "modules/lib/modules/6.1.0-57-amd64"
    assert found.userland == home / "userland"
    assert found.version == "2.1.11-1+deb12u1 0123456789abcdef"
