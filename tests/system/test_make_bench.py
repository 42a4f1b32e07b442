"""``make bench`` without root, and as root on a host without engines: it measures what there is, and its last line says what."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import store
from tests.system.nobody import as_nobody, virtual_environment
from tests.system.test_hosts import ENGINES, ROOT, SUITE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

MORE = ("virsh", "buildah", "skopeo", "docker-proxy", "containerd-shim-runc-v2", "docker-registry", "lsb_release")
"""Further programs of engines, and the one that would still name the distribution."""
HIDE = """\
for program; do [ "$program" = -- ] && break; mount --bind /dev/null "$program"; done
while [ "$1" != -- ]; do shift; done; shift
mount --bind os-release "$(readlink -f /etc/os-release)"
exec "$@"
"""


@pytest.fixture
def checkout(home: Path) -> Path:
    """Return a copy of the checkout that belongs to nobody and is set up: only the engines are not."""
    folder = home / "tare"
    folder.mkdir()
    for name in ("bench", "scenarios", "provisioning", "Makefile", "pyproject.toml"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(folder)], check=True)
    (folder / "some.yaml").write_text(SUITE)
    subprocess.run(["chown", "-R", "65534:65534", str(folder)], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    packages = virtual_environment(home, folder / ".venv")
    rest = (packages / "rest.pth").read_text()
    (packages / "rest.pth").write_text(f"{folder}\n{rest}")
    for name in ("tare", "ansible-playbook"):
        module = {"tare": "bench.__main__", "ansible-playbook": "ansible.cli.playbook"}[name]
        script = f"#!{folder}/.venv/bin/python\nfrom {module} import main\nmain()\n"
        (folder / ".venv/bin" / name).write_text(script)
        (folder / ".venv/bin" / name).chmod(0o755)
    (folder / ".venv/.ready").touch()
    return folder


def check(done: subprocess.CompletedProcess[str], checkout: Path) -> None:
    """Check a whole ``make bench`` of which only the scenario startup could run."""
    assert done.returncode == 0, done.stdout + done.stderr
    run = store.load(store.find(checkout / "results", "latest"))
    assert set(run.meta["scenarios"]) == {"startup"}
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) == {"ok"}
    assert {"host"} <= set(outcomes["target"]) - {"sentinel"} <= {"host", "null", "sandbox"}
    said = done.stdout.splitlines()
    assert f"run {run.run_id}" in said
    assert (checkout / "reports" / run.run_id / "index.html").is_file()
    [begin] = [number for number, line in enumerate(said) if line.startswith("Measured here: host")]
    last = " ".join(said[begin:])
    assert "left out: limits and pull" in last
    assert last.endswith("'tare doctor' says why")
    everything = done.stdout + done.stderr
    assert "Traceback" not in everything
    assert "make: ***" not in everything
    reasons = [line for line in done.stderr.splitlines() if line.startswith("not measured: ")]
    assert len({line.rpartition(": ")[2] for line in reasons}) == len(reasons) > 0


def test_make_bench_as_nobody_measures_what_there_is(home: Path, checkout: Path) -> None:
    argv = ["make", "-C", str(checkout), "--no-print-directory", "bench", "SUITE=./some.yaml"]
    done = as_nobody(home, *argv, path=os.environ["PATH"])
    check(done, checkout)
    assert "not root: engines are not installed" in done.stdout


def test_make_bench_as_root_without_engines_measures_what_there_is(home: Path, checkout: Path) -> None:
    """Hide the engines' programs, and what names the distribution, by mounts in a namespace of the test's own."""
    pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")
    folders = dict.fromkeys(f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin".split(":"))
    found = [path for folder in folders for name in (*ENGINES, *MORE) if (path := Path(folder, name)).exists()]
    (home / "os-release").write_text('NAME="Void"\nID=void\nPRETTY_NAME="Void Linux"\n')
    argv = ["make", "-C", str(checkout), "--no-print-directory", "bench", "SUITE=./some.yaml"]
    hide = ["unshare", "--mount", "sh", "-ec", HIDE, "sh", *map(str, dict.fromkeys(found)), "--"]
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {"HOME": str(home)}
    env |= {"TARE_STATE": str(home / "state"), "TMPDIR": str(home)}  # Ansible's log stays after a failure
    done = subprocess.run([*hide, *argv], cwd=home, env=env, capture_output=True, text=True, check=False)
    check(done, checkout)
    assert "packages of Void" in done.stderr
    assert "is not on PATH → run 'tare provision" in done.stderr
    assert shutil.which("runc") is None or Path(shutil.which("runc") or "").stat().st_size > 0, "the host has changed"
