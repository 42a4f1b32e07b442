"""System tests of faults: each has a clear outcome, no measurement is lost, nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import store
from bench.lab.journal import read
from bench.lab.paths import state_dir
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]


@contextlib.contextmanager
def background(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run in the background; end it by PID after the block."""
    argv = [sys.executable, "-m", "bench", "run", *arguments]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)


def until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    """Wait until the condition holds; fail with ``what`` after the time limit."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def lines(results: Path, name: str) -> list[str]:
    return [line for path in results.glob(f"*/{name}") for line in path.read_text().splitlines()]


def test_run_leaves_the_host_unchanged(tare: Tare) -> None:
    before = inventory()
    done = tare(
        "run",
        "startup",
        "-t",
        "host",
        "-t",
        "sandbox",
        "-t",
        "runc",
        "-t",
        "containerd",
        "-t",
        "docker",
        "--blocks",
        "2",
    )
    assert done.returncode == 0, done.stderr
    assert_same(before)


def test_killed_run_can_be_swept_and_resumed(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    results = tmp_path / "results"
    with background(tmp_path, "startup", "-t", "runc", "-t", "docker", "--blocks", "4", "--seed", "5") as process:
        until(lambda: len(lines(results, store.OUTCOMES)) >= 8, "8 outcomes")
        process.kill()
        process.wait()
    [journal] = (state_dir() / "journal").glob("*.jsonl")
    assert {"owner", "cgroup", "folder"} <= {entry["kind"] for entry in read(journal)}
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    dry = tare("sweep", "--dry-run")
    assert "would be removed" in dry.stdout
    assert journal.exists()
    swept = tare("sweep")
    assert (swept.returncode, "folder" in swept.stdout) == (0, True)
    assert_same(before)
    assert tare("sweep").stdout == "nothing to sweep\n"

    run = store.load(store.find(results, "latest"))
    kept = len(store.outcomes(run))
    shown = tare("show")
    assert "did not finish" in shown.stdout + shown.stderr
    again = tare("run", "--resume", run.run_id)
    assert again.returncode == 0, again.stderr
    whole = store.load(run.path)
    order = store.outcomes(whole)["invocation"].tolist()
    assert order == [item.index for item in store.plan(whole)], "the same plan, each invocation once, in order"
    assert kept < len(order)
    assert whole.meta["state"] == "complete"
    assert tare("run", "--resume", run.run_id).returncode == 2
    assert_same(before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_keeps_its_measurements(tare: Tare, tmp_path: Path, number: signal.Signals) -> None:
    before = inventory()
    with background(tmp_path, "startup", "-t", "runc", "--blocks", "50") as process:
        until(lambda: len(lines(tmp_path / "results", store.OUTCOMES)) >= 6, "6 outcomes")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    run = store.load(store.find(tmp_path / "results", "latest"))
    assert f"tare run --resume {run.run_id}" in out
    assert out.split()[-1] == run.run_id
    assert run.meta["state"] == "interrupted"
    assert len(store.outcomes(run)) >= 6
    assert_same(before)


def test_payload_that_never_gets_ready_is_a_timeout(tare: Tare, tmp_path: Path) -> None:
    """Simulate a hanging program by a wrapper around the runtime that suppresses the payload's ready message."""
    before = inventory()
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "runc").write_text(
        "#!/bin/sh\n"
        'case "$*" in *trial*) ;; *) for a in "$@"; do [ "$p" = --bundle ] && sed -i \'s/"--sleep"/"--mute", "--sleep"/\' "$a/config.json"; p=$a; done;; esac\n'
        f'exec {shutil.which("runc", path="/usr/sbin:/usr/bin")} "$@"\n'
    )
    (fake / "runc").chmod(0o755)
    scenario = tmp_path / "mute.yaml"
    scenario.write_text(
        "name: mute\nmeasure: startup\ntitle: Never ready\ntargets: [host, runc]\nbaseline: host\nblocks: 2\n"
        "warmup_blocks: 0\ntimeout_s: 2\nprimary: [startup.ready_s]\n"
    )
    done = tare("run", str(scenario), env={"PATH": f"{fake}:{os.environ['PATH']}"})
    assert done.returncode == 4, done.stderr
    run = store.load(store.find(tmp_path / "results", "latest"))
    found = store.outcomes(run)
    late = found[found["target"] == "runc"]
    assert late["status"].tolist() == ["timeout", "timeout"]
    assert "'ready' did not arrive within" in late["reason"].iloc[0]
    assert set(store.measurements(run)["target"]) == {"host", "null", "sentinel"}
    assert_same(before)


def test_daemon_that_dies_fails_only_its_own_invocations(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    results = tmp_path / "results"
    with background(tmp_path, "startup", "-t", "docker", "-t", "runc", "--blocks", "6", "--warmup", "0") as process:
        until(lambda: len(lines(results, store.OUTCOMES)) >= 6, "6 outcomes")
        [pid] = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"dockerd" in path.read_bytes().split(b"\0")[0] and str(state_dir()).encode() in path.read_bytes()
        ]
        os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=200)
    assert process.returncode == 4, err
    found = store.outcomes(store.load(store.find(results, "latest")))
    docker = found[found["target"] == "docker"]
    assert {"ok", "failed"} == set(docker["status"])
    assert "dockerd" in docker[docker["status"] == "failed"]["reason"].iloc[-1]
    assert set(found[found["target"] != "docker"]["status"]) == {"ok"}
    assert len(found) == 6 * 5
    assert "invocations failed" in out
    assert_same(before)


def test_full_disk_stops_the_run_without_losing_measurements(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], check=True)
    try:
        done = tare("run", "startup", "-t", "host", "--blocks", "200", "--results", str(small / "results"))
        assert done.returncode == 4, done.stderr
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        run = store.load(store.find(small / "results", "latest"))
        numbers = store.measurements(run)
        assert len(numbers) > 10
        assert set(numbers["invocation"]) <= set(store.outcomes(run)["invocation"])
    finally:
        subprocess.run(["umount", small], check=True)
    assert_same(before)


def test_requested_target_that_cannot_run_is_refused_before_measuring(tare: Tare, tmp_path: Path) -> None:
    """Use a runtime that is on PATH but cannot create a container."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "crun").write_text("#!/bin/sh\necho 'crun: this kernel is not to its taste' >&2\nexit 1\n")
    (fake / "crun").chmod(0o755)
    done = tare("run", "startup", "-t", "host", "-t", "crun", env={"PATH": f"{fake}:{os.environ['PATH']}"})
    assert done.returncode == 3, done.stderr
    assert "the target 'crun' is unavailable here" in done.stderr
    assert "not to its taste" in done.stderr
    assert not (tmp_path / "results").exists()


def test_second_concurrent_run_is_refused(tare: Tare, tmp_path: Path) -> None:
    with background(tmp_path, "startup", "-t", "host", "--blocks", "2000") as process:
        until(lambda: bool(lines(tmp_path / "results", store.OUTCOMES)), "an outcome")
        done = tare("run", "startup", "-t", "host")
        assert done.returncode == 3
        assert "another run is using the lab" in done.stderr
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_run_without_root_measures_the_host_and_names_the_rest(tmp_path: Path) -> None:
    """Run as user 1000 in a user namespace without privileges: what needs root is named with its remedy."""
    argv = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, "-m", "bench"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TARE_STATE": str(tmp_path / "s")}
    command = [*argv, "run", "startup", "--blocks", "2", "--warmup", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    run = store.load(store.find(tmp_path / "results", "latest"))
    assert {"host", "null", "sentinel"} <= set(store.measurements(run)["target"])
    reasons = {item.target: (item.reason, item.remedy) for item in store.skipped(run)}
    assert "need root" in reasons["docker"][0]
    assert "sudo" in reasons["docker"][1]
    [told] = [line for line in done.stderr.splitlines() if reasons["docker"][0] in line]
    assert told.startswith("not measured: ")
    assert "docker" in told.partition(reasons["docker"][0])[0]
    assert run.meta["facts"]["privilege"] == "user"


def test_doctor_tries_each_target_and_names_what_is_missing(tare: Tare) -> None:
    before = inventory()
    done = tare("doctor", "--json", "-t", "host", "-t", "sandbox", "-t", "runc", "-t", "docker:network=none")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert all(item["ok"] and "ready" in item["says"] for item in found["targets"])
    assert {"load", "bare metal"} <= {item["name"] for item in found["noise"]}
    assert_same(before)
