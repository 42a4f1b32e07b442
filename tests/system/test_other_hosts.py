"""``make hosts``: root file systems are entered and left without a trace, and Tare works in Debian 13."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.core import kernelfiles
from bench.lab import cgroups
from bench.lab.paths import state_dir
from tests.hosts import __main__ as hosts
from tests.hosts import archive, table
from tests.hosts.inside import Entry
from tests.hosts.visit import Visit
from tests.inventory import inventory
from tests.system.test_faults import until
from tests.system.test_hosts import groups

pytestmark = [pytest.mark.system, pytest.mark.root]

ROOT = Path(__file__).parent.parent.parent
BUSYBOX = shutil.which("busybox")
ENGINES, TARGETS = ("runc", "podman", "docker"), ("host", "runc", "crun", "podman", "docker")
CONTROLS = {"null": {"ok": 2}, "sentinel": {"ok": 2}}
"""What every block has beside the targets."""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Return a root file system that has one static program."""
    if BUSYBOX is None:
        pytest.fail("busybox is not there: 'tare provision tools' installs it")
    root = tmp_path / "root file system"
    for name in ("bin", "proc", "sys", "dev", "run", "tmp", "mnt"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    return root


def keeper(root: Path, script: str, folder: Path) -> subprocess.Popen[str]:
    """Start a script in a root file system under a keeper; /out inside is a folder of the test."""
    argv = ("/bin/busybox", "sh", "-c", script)
    entry = Entry(str(root), "tare-tiny", argv, env={"PATH": "/bin"}, kept={"/out": str(folder)})
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hosts.keeper", entry.dump()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def sleepers(seconds: str) -> list[int]:
    """Return the processes that sleep for this number of seconds, which is a test's own."""
    wanted = f"sleep\0{seconds}\0"
    return [pid for pid in kernelfiles.pids() if wanted in kernelfiles.text(Path(f"/proc/{pid}/cmdline"))]


def test_command_inside_is_on_a_host_of_its_own_and_leaves_no_mount(tiny: Path, out: Path) -> None:
    mounts = inventory()["mounts"]
    script = "for x in 'hostname' 'ls /' 'ls /mnt /run' 'grep -c tests.hosts.inside /proc/1/cmdline'; do echo $(busybox $x); done; exit 7"
    with keeper(tiny, script, out) as process:
        assert process.stdout is not None
        said = process.stdout.read()  # communicate() would close standard input, which asks the keeper to end
        process.wait()
    assert process.returncode == 7
    assert said.splitlines() == ["tare-tiny", "bin dev mnt out proc run sys tmp", "/mnt: /run:", "1"]
    assert inventory()["mounts"] == mounts


@pytest.mark.parametrize("killed", ["starter", "keeper"])
def test_everything_inside_ends_when_its_starter_or_keeper_is_gone(tiny: Path, out: Path, killed: str) -> None:
    mounts, seconds = inventory()["mounts"], f"7{os.getpid()}{killed == 'keeper':d}"
    script = f"trap 'echo asked >/out/asked; exit' TERM; busybox setsid busybox sleep {seconds} & busybox sleep {seconds} & wait"
    with keeper(tiny, script, out) as process:
        until(lambda: len(sleepers(seconds)) == 2, "two processes inside")
        if killed == "keeper":
            process.kill()
        else:
            assert process.stdin is not None
            process.stdin.close()  # as the kernel does when the starter is killed
        process.wait()
        until(lambda: not sleepers(seconds), "nothing is left inside")
    assert (out / "asked").exists() == (killed == "starter")
    assert inventory()["mounts"] == mounts


def test_interrupted_visit_ends_what_runs_inside(tmp_path: Path) -> None:
    """A release that is there is enough: setup begins at once with a virtual environment."""
    folder = state_dir() / "hosts/trixie"
    archive.ensure("trixie", folder, debian())
    mounts = inventory()["mounts"]
    argv = [sys.executable, "-m", "tests.hosts", "trixie", "--engine", "tools"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        log = folder / "log/setup.txt"
        begin = time.time()
        until(lambda: log.exists() and log.stat().st_mtime > begin and bool(log.read_text()), "setup has begun", 120)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == hosts.INTERRUPTED
    assert said == "interrupted; everything inside was ended\n"
    assert not within(folder)
    assert inventory()["mounts"] == mounts


def within(folder: Path) -> list[int]:
    """Return the processes whose root is that of the release in this folder."""
    mounted = f"/hosts/{folder.name}/root / "
    return [pid for pid in kernelfiles.pids() if mounted in kernelfiles.text(Path(f"/proc/{pid}/mountinfo"))]


def debian() -> archive.Source:
    """Return how this host reaches Debian's archive; on a Debian, whatever is missing is a failure."""
    if shutil.which("apt-get") is None:
        pytest.skip("this host has no apt, so no Debian can be built on it")
    if (name := platform.freedesktop_os_release().get("ID", "")) != "debian":
        pytest.skip(f"this host is {name}, whose apt has no sources of Debian")
    return archive.read_source()


@pytest.fixture(scope="module")
def visited() -> Visit:
    """Return what a visit of Debian 13 finds.

    It fails where this host's apt works and the root file system cannot be built: a skip would hide a missing package.
    """
    return hosts.visit_one("trixie", debian(), ENGINES, TARGETS)


@pytest.mark.engines
@pytest.mark.timeout(1200)
def test_debian_13_is_set_up_and_measured(visited: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{table.render([visited])}")
    assert table.wrong([visited], {}) == []
    assert set(visited.targets) == set(TARGETS)
    assert visited.measured == {**{target: {"ok": 2} for target in TARGETS}, **CONTROLS}
    assert not within(state_dir() / "hosts/trixie")


KILLED = """
import sys
from pathlib import Path
from tests.hosts.keeper import TARE
from tests.hosts.visit import RootFs

RootFs("trixie", Path(sys.argv[1])).run("killed", [TARE, "run", "startup", "-t", "host", "-t", "docker", "--blocks", "90"], 600)
"""


@pytest.mark.engines
@pytest.mark.timeout(1200)
def test_killed_visit_leaves_no_process_and_no_control_group(visited: Visit) -> None:
    folder = state_dir() / "hosts/trixie"
    runs = folder / "root/var/lib/tare/run"
    assert visited.measured, "there is a Tare inside"
    mounts = inventory()["mounts"]
    with subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT) as process:
        until(lambda: bool(kernelfiles.names(runs)), "a run's folder")
        [run] = kernelfiles.names(runs)
        until(lambda: any("dockerd" in command(pid) for pid in cgroups.pids_of(f"/{cgroups.ROOT}/{run}")), "a daemon")
        process.kill()
    until(lambda: not within(folder), "nothing runs inside")
    until(lambda: run not in groups() and f"{run}.guardian" not in groups(), "the run's control groups are gone")
    assert kernelfiles.names(runs) == []
    assert inventory()["mounts"] == mounts


def command(pid: int) -> str:
    return kernelfiles.text(Path(f"/proc/{pid}/cmdline"))
