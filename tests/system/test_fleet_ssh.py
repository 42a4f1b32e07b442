"""System tests of fleets over ssh: hosts in namespaces of their own, keys, host keys, and everything that goes wrong with hosts."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from bench import store
from tests.fleet_over_ssh import fleet, left, said
from tests.ssh_hosts import Network, wrapper

pytestmark = [pytest.mark.root, pytest.mark.system]
pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")

ROOT = Path(__file__).parents[2]
DAY_S = 86400
PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def this(hosts: Network) -> str:
    """Return this Tare as a program for a host."""
    return str(wrapper(hosts.folder / "tare", [sys.executable, "-m", "bench"], PYTHONPATH=str(ROOT)))


def other_python(folder: Path) -> str:
    """Return this Tare in the distribution's Python, with the packages of this one's environment."""
    packages = sysconfig.get_paths()["purelib"]
    return str(wrapper(folder / "tare-other", [str(PYTHON), "-m", "bench"], PYTHONPATH=f"{ROOT}:{packages}"))


def older(folder: Path) -> str:
    """Return a copy of this Tare that has another version."""
    for name in ("bench", "scenarios", "provisioning"):
        shutil.copytree(ROOT / name, folder / "older" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder / "older")
    init = folder / "older/bench/__init__.py"
    init.write_text(re.sub(r'__version__ = "[^"]*"', '__version__ = "0.0.9"', init.read_text()))
    return str(wrapper(folder / "tare-older", [sys.executable, "-m", "bench"], PYTHONPATH=str(folder / "older")))


def moved_clock(folder: Path, by_s: int) -> str:
    """Return a library that moves the wall clock of the programs that load it, and no other clock."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(
        "#define _GNU_SOURCE\n#include <sys/syscall.h>\n#include <time.h>\n#include <unistd.h>\n"
        "int clock_gettime(clockid_t clock, struct timespec *at) {\n"
        "  int failed = syscall(SYS_clock_gettime, clock, at);\n"
        f"  if (!failed && clock == CLOCK_REALTIME) at->tv_sec += {by_s};\n"
        "  return failed;\n}\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


def test_each_host_gives_a_run_or_a_reason_and_a_later_fetch_collects_the_rest(hosts: Network, this: str) -> None:
    hosts.add("plain", hostname="node", tare_program=this)
    hosts.add("other", hostname="node", tare_program=other_python(hosts.folder), ansible_python_interpreter=str(PYTHON))
    hosts.add("old", tare_program=older(hosts.folder))
    hosts.add("full", disk="-t tmpfs -o size=112k tmpfs", tare_program=this)
    hosts.add("dies", tare_program=this)
    hosts.add("wrong", tare_program=this)
    hosts.add("late", tare_program=this, env={"LD_PRELOAD": moved_clock(hosts.folder, DAY_S)})
    where = str(hosts.inventory(wrong=["wrong"], away=["away"]))
    process = fleet(hosts, "run", "-i", where, "startup", "-t", "sandbox", "--blocks", "3", "--warmup", "0")
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(process.communicate()))
    reader.start()
    measured = "tare-fleet/*/dies/results/*/outcomes.jsonl"
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in (hosts.folder / "dies/tmp").glob(measured)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    hosts.kill("dies")
    reader.join()
    print(*output, sep="\n")
    assert process.returncode == 4
    told = said(output[0])
    assert told["plain"].startswith("run ")
    assert told["other"].startswith("run ")
    assert told["old"].startswith("run ")
    assert "old: has Tare 0.0.9" in output[0]
    assert "No space left on device" in told["full"]
    assert "stays there until 'tare fleet fetch'" in told["dies"]
    assert "its host key is not the one in known_hosts" in told["wrong"]
    assert "nothing was sent to it" in told["wrong"]
    assert told["away"].startswith("no run: ")
    assert "one kernel under several names" in output[0]
    runs = {run.meta["tags"]["fleet.host"]: run for run in map(store.load, (hosts.folder / "results").iterdir())}
    assert {"plain", "other", "old", "late"} <= runs.keys()
    assert len({runs[name].meta["seed"] for name in ("plain", "other", "old", "late")}) == 1
    assert runs["old"].meta["tare_version"] == "0.0.9"
    for name in ("plain", "other", "old", "late"):
        ended = store.outcomes(runs[name])
        assert set(ended["status"]) == {"ok"}, ended[["target", "reason"]].to_string()
    clock = json.loads((runs["late"].path / "fleet.json").read_text())["clock"]
    assert abs(clock["offset_s"] - DAY_S) <= clock["error_s"] + 0.1
    assert "late: its clock is 86400 s ahead of this host's" in output[0]

    hosts.start("dies")
    again = fleet(hosts, "fetch", "-i", where)
    printed, complaints = again.communicate(timeout=300)
    print(printed, complaints)
    assert "was cut off there" in said(printed)["dies"]
    (cut,) = (
        run for run in map(store.load, (hosts.folder / "results").iterdir()) if run.meta["tags"]["fleet.host"] == "dies"
    )
    assert len(store.outcomes(cut)) >= 1
    assert left(hosts) == []
    third = fleet(hosts, "fetch", "-i", where)
    assert "dies" not in said(third.communicate(timeout=300)[0]), "what is here was fetched again"


def test_hosts_go_on_when_the_controller_is_interrupted_and_fetch_collects(hosts: Network, this: str) -> None:
    hosts.add("a", tare_program=this)
    where = str(hosts.inventory())
    process = fleet(hosts, "run", "-i", where, "startup", "-t", "sandbox", "--blocks", "20", "--warmup", "0")
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert next(line for line in lines if re.match("a: (preparing|run|startup: block)", line)), "progress by host"
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "'tare fleet fetch' with the same inventory collects their runs" in complaints
    deadline = time.monotonic() + 120
    while not (hosts.folder / "results").exists():
        printed, complaints = fleet(hosts, "fetch", "-i", where).communicate(timeout=60)
        assert "still measures" in printed or "a: run " in printed, printed + complaints
        assert time.monotonic() < deadline
    (run,) = map(store.load, (hosts.folder / "results").iterdir())
    assert set(store.outcomes(run)["status"]) == {"ok"}
    assert left(hosts) == []


def test_night_of_a_fleet_is_summed_up_and_stays_on_its_host(hosts: Network, this: str) -> None:
    hosts.add("a", tare_program=this, nightly_dir=str(hosts.folder / "a/nights"))
    hosts.add("b", tare_program="/nowhere/tare")
    words = ["startup", "-t", "sandbox", "--blocks", "2", "-o", str(hosts.folder / "night")]
    process = fleet(hosts, "nightly", "-i", str(hosts.inventory()), *words)
    printed, complaints = process.communicate(timeout=300)
    print(printed, complaints)
    assert process.returncode == 4
    assert "| b | failed | – | '/nowhere/tare' is no program there" in printed
    summary = json.loads((hosts.folder / "night/summary.json").read_text())
    (a, _) = summary["hosts"]
    assert a["night"]["headline"].startswith("No verdict: this is the first night")
    assert (hosts.folder / "results" / a["run_id"]).is_dir()
    assert (hosts.folder / "a/nights/results" / a["run_id"]).is_dir()
    assert left(hosts) == []
