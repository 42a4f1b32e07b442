"""System tests of bare hosts over ssh: they get this Tare without a network, or the reason why not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench import __version__, store
from bench.hosts import repacked
from tests.fleet_over_ssh import ROOT, fleet, left, said
from tests.ssh_hosts import Network

pytestmark = [pytest.mark.root, pytest.mark.system]
pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")


SMALL = "/var/tmp/tare"  # noqa: S108 - a folder of one of the hosts


def test_bare_host_is_provisioned_over_ssh(hosts: Network) -> None:
    bare = hosts.add("bare", payload_packages="{}")  # the compiler is there: it has built the payload of these tests
    shutil.rmtree(bare.state / "payload")
    argv = [sys.executable, "-m", "bench", "provision", "-i", str(hosts.inventory()), "payload"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(hosts.folder)}
    done = subprocess.run(
        hosts.enter(argv), cwd=hosts.folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((bare.state / "payload").rglob("tare-payload"))


def here_only() -> list[Path]:
    """Return the folders that a host with nothing but its distribution does not have: this Tare, its Python and its packages."""
    found = {ROOT, Path(sys.prefix), Path(sys.base_prefix), Path("/opt")} - {Path("/usr")}
    return sorted(path for path in found if not found & set(path.parents))


def wheels_of_this_python(folder: Path) -> Path:
    """Make wheels of what is installed here, so that the controller needs no network either; return their folder."""
    folder.mkdir()
    left, seen = ["tare-bench", "pip"], set[str]()
    while left:
        name = left.pop()
        if name not in seen and name != "tare-bench":
            repacked.wheel(name, folder)
        seen.add(name)
        extras = ["docker", "containerd"] if name == "tare-bench" else [""]
        for wanted in map(Requirement, metadata.requires(name) or ()):
            if any(wanted.marker is None or wanted.marker.evaluate({"extra": extra}) for extra in extras):
                left += {canonicalize_name(wanted.name)} - seen
    return folder


def test_bare_hosts_without_a_network_get_this_tare_or_the_reason_and_measure(hosts: Network) -> None:
    hidden = here_only()
    home = hosts.folder / "bare/opt"
    bare = hosts.add("bare", hidden=hidden, harness_home=str(home))
    shutil.rmtree(bare.state / "payload")  # the wheel has it
    ancient = hosts.folder / "python"
    facts = {
        "version": "3.9",
        "full": "3.9.2",
        "implementation": "cpython",
        "machine": "",
        "glibc": "2.31",
        "venv": True,
    }
    ancient.write_text(f"#!/bin/sh\necho '{json.dumps(facts)}'\n")
    ancient.chmod(0o755)
    hosts.add("ancient", hidden=hidden, harness_python=str(ancient))
    hosts.add("small", hidden=hidden, disk="-t tmpfs -o size=40m tmpfs", harness_home=SMALL)
    where = str(hosts.inventory())
    wheels = wheels_of_this_python(hosts.folder / "wheels")
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}

    argv = [sys.executable, "-m", "bench", "provision", "-i", where, "tare"]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(hosts.folder), **env}
    done = subprocess.run(hosts.enter(argv), cwd=hosts.folder, env=given, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 4
    assert f"{ancient} is cpython 3.9.2, and Tare needs Python >=3.11; install one there" in done.stderr
    assert re.search(rf"{SMALL} needs \d+ MB for Tare and its wheels, and \d+ MB are free", done.stderr)
    assert left(hosts) == []
    assert sorted(path.name for path in home.iterdir() if path.is_file()) == ["pyvenv.cfg", "tare-installed.json"]

    before = installed(home)
    process = fleet(hosts, "run", "-i", where, "startup", "-t", "host", "--blocks", "2", "--warmup", "0", **env)
    printed, complaints = process.communicate(timeout=300)
    print(printed, complaints)
    assert process.returncode == 4
    assert said(printed)["bare"].startswith("run ")
    assert "Tare needs Python >=3.11" in said(printed)["ancient"]
    assert "MB are free" in said(printed)["small"]
    assert installed(home) == before, "what is there was installed again"
    (run,) = map(store.load, (hosts.folder / "results").iterdir())
    assert set(store.outcomes(run)["status"]) == {"ok"}
    assert run.meta["tare_version"] == __version__
    assert left(hosts) == []


def installed(home: Path) -> dict[str, int]:
    """Return path → time of change of the files of an installation; those that Python compiles are left out."""
    found = (path for path in home.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path): path.lstat().st_mtime_ns for path in found}
