"""Hosts as they are: strangers' processes come and go, descriptors are inherited, harnesses are killed, engines are missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import store
from bench.core import kernelfiles, proc
from bench.core.clock import now_s, sleep_s
from bench.lab import Lab, cgroups
from tests.inventory import assert_same, inventory, labs_of_others
from tests.system.conftest import Tare
from tests.system.test_faults import background, lines, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

ROOT = Path(__file__).parent.parent.parent
ENGINES = (
    "runc", "crun", "runsc", "containerd", "dockerd", "docker", "podman", "crio", "libvirtd", "virtlogd", "bwrap",
    "qemu-system-x86_64", "qemu-system-aarch64", "ctr", "conmon",
)  # fmt: skip


STORM = """
import subprocess, threading

def blow(argv):
    while True:
        for one in [subprocess.Popen(argv) for _ in range(4)]:
            one.wait()

for argv in (["true"], ["unshare", "--net", "true"], ["unshare", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"]):
    threading.Thread(target=blow, args=(argv,)).start()
"""


@contextlib.contextmanager
def storm() -> Iterator[None]:
    """Run short processes of a stranger, some with a network namespace or a mount of their own, until the block ends.

    Enter it before a lab: the lab would adopt it.
    """
    with subprocess.Popen([sys.executable, "-c", STORM]) as process:
        try:
            yield
        finally:
            process.kill()


def test_residue_is_counted_beside_a_storm_of_strangers(tmp_path: Path) -> None:
    with storm(), Lab("5705", state=tmp_path) as lab:
        counts = [lab.residue() for _ in range(400)]
        lab.clear()
    assert all(count["network namespaces"] >= 2 for count in counts)
    assert {count["processes"] for count in counts} == {counts[0]["processes"]}, "strangers are not the run's"
    assert {count["mounts"] for count in counts} == {counts[0]["mounts"]}


def test_run_beside_a_storm_of_strangers_measures_everything(tare: Tare, tmp_path: Path) -> None:
    with storm():
        done = tare("run", "startup", "-t", "host", "-t", "runc", "-t", "docker:network=none", "--blocks", "3")
    assert done.returncode == 0, done.stderr
    found = store.outcomes(store.load(store.find(tmp_path / "results", "latest")))
    assert set(found["status"]) == {"ok"}


def groups() -> set[str]:
    """Return the ids of the runs that have a control group, without those of other labs that work here meanwhile."""
    found = {one.name for one in kernelfiles.folders(cgroups.hierarchy().accounting / cgroups.ROOT)}
    others = labs_of_others()
    return {name for name in found if name.partition(".")[0] not in others}


def holders(run: str, path: Path, seen: dict[str, set[str]]) -> None:
    """Add name → descriptors (as link targets) of the processes in a run's groups, its guardian included."""
    for group in (run, f"{run}.guardian"):
        for pid in cgroups.pids_of(f"/{cgroups.ROOT}/{group}"):
            folder = Path(f"/proc/{pid}/fd")
            name = kernelfiles.text(Path(f"/proc/{pid}/comm")).strip()
            if str(pid) != run and name:
                found = {kernelfiles.link(folder / number) for number in kernelfiles.names(folder)}
                seen.setdefault(name, set()).update({"held"} if str(path) in found else set())


def test_callers_descriptors_are_held_by_the_harness_alone(tmp_path: Path) -> None:
    """``flock FILE tare nightly`` leaves FILE open in the harness; no daemon, shim, runtime or payload may keep it."""
    lock = tmp_path / "lock"
    targets = [
        "sandbox",
        "runc",
        "crun",
        "containerd",
        "docker",
        "docker:network=proxied",
        "podman",
        "cri",
        "runsc",
        "libvirt:guest=minimal",
    ]
    argv = [sys.executable, "-m", "bench", "run", "startup", *(part for one in targets for part in ("-t", one))]
    before, seen = groups(), dict[str, set[str]]()
    with lock.open("w") as file:
        options = {"cwd": tmp_path, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([*argv, "--blocks", "2"], pass_fds=[file.fileno()], **options) as process:  # type: ignore[call-overload]
            run = ""
            harness = kernelfiles.text(Path(f"/proc/{process.pid}/comm")).strip()
            while process.poll() is None:
                run = run or next((one for one in groups() - before if "." not in one), "")
                if run:
                    holders(run, lock, seen)
                time.sleep(0.002)
            _, err = process.communicate()
    assert process.returncode == 0, err
    assert {"dockerd", "containerd", "tare-payload"} <= set(seen)
    assert any(name.startswith("containerd-shim") for name in seen)
    assert any(name.startswith("qemu-system") for name in seen)
    assert {name for name, held in seen.items() if held} <= {harness, "python", "python3"}


@pytest.mark.parametrize("phase", ["opening", "preparing", "first", "later", "crowd"])
def test_killed_harness_leaves_no_process(tmp_path: Path, phase: str) -> None:
    before, earlier = inventory(), groups()
    results = tmp_path / "results"
    what = ["density", "-p", "instances=30", "-p", "step=10"] if phase == "crowd" else ["startup"]
    with background(tmp_path, *what, "-t", "runc", "-t", "docker", "-t", "containerd", "--blocks", "9") as process:
        until(lambda: bool(groups() - earlier), "a control group")
        [run] = {one.partition(".")[0] for one in groups() - earlier}
        lab = f"/{cgroups.ROOT}/{run}"
        ready = {
            "opening": lambda: len(cgroups.pids_of(f"{lab}.guardian")) == 1,
            "preparing": lambda: any(name == "dockerd" for name in names(lab)),
            "first": lambda: len(lines(results, store.OUTCOMES)) >= 1,
            "later": lambda: len(lines(results, store.OUTCOMES)) >= 9,
            "crowd": lambda: names(lab).count("tare-payload") >= 3,
        }
        until(lambda: process.poll() is not None or ready[phase](), phase)
        assert process.poll() is None, process.communicate()
        begin = time.monotonic()
        process.kill()
        process.wait()
        until(lambda: not groups() - earlier, "no control group is left", timeout_s=60)
        took = time.monotonic() - begin
    print(f"killed while {phase}: control group empty after {took:.2f} s")
    assert inventory()["processes"] == before["processes"]
    swept = subprocess.run([sys.executable, "-m", "bench", "sweep"], capture_output=True, text=True, check=True)
    assert "control group" not in swept.stdout
    assert "folder" in swept.stdout
    assert_same(before)


def names(lab: str) -> list[str]:
    """Return the names of the processes in a run's group."""
    return [kernelfiles.text(Path(f"/proc/{pid}/comm")).strip() for pid in cgroups.pids_of(lab)]


@pytest.mark.parametrize("children", [1, 40])
def test_guardian_ends_the_group_of_a_killed_harness_and_no_other(tmp_path: Path, children: int) -> None:
    if not cgroups.hierarchy().version:
        pytest.skip("no control groups are mounted")
    mount = cgroups.hierarchy().accounting
    name = f"t{os.getpid():x}{children}"
    top, other = mount / "tare" / name, mount / "tare" / f"{name}0"
    sleeper = ["/bin/sleep", "60"]
    stranger = proc.spawn(sleeper)
    harness = proc.spawn(
        [
            sys.executable,
            "-c",
            "import sys, time; from bench.lab import cgroups\n"
            f"one = cgroups.RunCgroup({name!r}); one.enter(); one.guard()\n"
            "from bench.core import proc\n"
            f"[proc.spawn({sleeper!r}) for _ in range({children})]\n"
            "print(flush=True); time.sleep(60)",
        ],
        stdout=tmp_path / "ready",
        stderr=tmp_path / "errors",
        env=proc.environment({"PYTHONPATH": os.pathsep.join(sys.path)}),
    )
    try:
        other.mkdir(parents=True)
        (other / "cgroup.procs").write_text(f"{stranger.pid}\n")
        deadline = now_s() + 30
        while not (tmp_path / "ready").read_bytes():
            assert harness.poll() is None, (tmp_path / "errors").read_text()
            assert now_s() < deadline
            sleep_s(0.01)
        pids = cgroups.pids_of(f"/tare/{name}")
        assert len(pids) == 1 + children
        assert len(cgroups.pids_of(f"/tare/{name}.guardian")) == 1
        harness.send(signal.SIGKILL)
        harness.wait(10)
        while top.exists() or top.with_name(f"{name}.guardian").exists():
            assert now_s() < deadline
            sleep_s(0.01)
        assert stranger.poll() is None
    finally:
        stranger.stop(5)
        for group in (f"/tare/{name}", f"/tare/{name}.guardian", f"/tare/{name}0"):
            cgroups.destroy(group)


def test_guardian_ends_with_the_lab_and_uses_no_time(tmp_path: Path) -> None:
    with Lab("9a4d", state=tmp_path) as lab:
        [pid] = cgroups.pids_of("/tare/9a4d.guardian")
        assert pid not in cgroups.pids_of(lab.cgroup_path)
        time.sleep(0.5)
        first = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]
        time.sleep(0.5)
        assert Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0] == first
    assert not Path(f"/proc/{pid}").exists()
    assert "9a4d.guardian" not in groups()


SUITE = """\
name: some
title: What runs anywhere, and what does not
scenarios:
  - {scenario: startup, blocks: 1, warmup_blocks: 0}
  - {scenario: limits, blocks: 1, warmup_blocks: 0}
  - {scenario: pull, blocks: 1, warmup_blocks: 0}
"""


def check_partial(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """Check a run of which only the scenario startup could run."""
    assert done.returncode == 0, done.stderr
    run = store.load(store.find(folder / "results", "latest"))
    assert set(run.meta["scenarios"]) == {"startup"}
    assert {"host"} <= set(store.measurements(run)["target"])
    assert {one.scenario for one in store.skipped(run)} >= {"limits", "pull"}
    said = done.stdout.splitlines()
    assert any(line.startswith("measured: startup; targets: host") for line in said)
    assert any(line.startswith("left out: limits: the baseline 'runc' of 'limits' cannot run here: ") for line in said)
    assert any(line.startswith("left out: pull: the baseline ") for line in said)
    assert said[-1] == f"run {run.run_id}"


def test_run_as_nobody_measures_what_there_is() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tare-nobody-", dir="/tmp"))
    try:
        for name in ("bench", "scenarios", "provisioning"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / "copy" / name)
        (folder / "some.yaml").write_text(SUITE)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(folder, 65534, 65534)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "bench"]
        env = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TARE_STATE": str(folder / "s"), "PYTHONPATH": str(folder / "copy"),
        }  # fmt: skip
        if subprocess.run([*argv[:4], sys.executable, "-c", ""], check=False).returncode != 0:
            pytest.skip("this Python cannot be run by other users")
        done = subprocess.run(
            [*argv, "run", "./some.yaml"], cwd=folder, capture_output=True, text=True, check=False, env=env
        )
        check_partial(done, folder)
        doctor = subprocess.run([*argv, "doctor"], cwd=folder, capture_output=True, text=True, check=False, env=env)
        assert doctor.returncode == 0, doctor.stderr
    finally:
        shutil.rmtree(folder)


def test_run_as_root_without_engines_measures_what_there_is(tmp_path: Path) -> None:
    """Hide the engines' programs by mounts in a namespace of the test's own."""
    (tmp_path / "some.yaml").write_text(SUITE)
    where = dict.fromkeys(f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin".split(":"))
    found = [path for folder in where for name in ENGINES if (path := Path(folder, name)).exists()]
    hide = "".join(f"mount --bind /dev/null '{path}'; " for path in dict.fromkeys(found))
    argv = [
        "unshare",
        "--mount",
        "sh",
        "-ec",
        f'{hide} exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "bench",
        "run",
        "./some.yaml",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    check_partial(done, tmp_path)
