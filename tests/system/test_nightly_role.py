"""System tests of role ``nightly``: valid systemd units, and a cron line that is installed and removed again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.hosts import ansible

pytestmark = pytest.mark.system
pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")

ROLE = ansible.playbook_dir() / "roles" / "nightly"
BIN = Path(sys.executable).parent
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [{role}/defaults/main.yml]
  vars: {{ansible_python_interpreter: /usr/bin/python3, tare_program: {program}, nightly_dir: {folder}}}
  tasks:
    - ansible.builtin.template: {{src: "{role}/templates/{{{{ item }}}}.j2", dest: "{folder}/{{{{ item }}}}", mode: "0644"}}
      loop: [tare-nightly.service, tare-nightly.timer]
"""


def run(argv: list[str], **variables: str) -> str:
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this host has no systemd: the role uses cron here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY.format(role=ROLE, program=BIN / "tare", folder=tmp_path))
    run([str(BIN / "ansible-playbook"), "-i", "localhost,", str(play)])
    service, timer = tmp_path / "tare-nightly.service", tmp_path / "tare-nightly.timer"
    assert f"ExecStart={BIN}/tare nightly nightly --keep 90" in service.read_text()
    assert run(["systemd-analyze", "verify", str(service), str(timer)]) == ""  # it prints what it rejects
    (when,) = (line for line in timer.read_text().splitlines() if line.startswith("OnCalendar="))
    assert "Next elapse" in run(["systemd-analyze", "calendar", when.removeprefix("OnCalendar=")])


@pytest.mark.root
def test_nightly_role_installs_a_cron_line_and_is_idempotent(tmp_path: Path) -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd is process 1 here: the role installs a timer, which a private mount namespace cannot hide")
    script = (
        'mkdir -p /etc/cron.d "$2" && mount -t tmpfs tare /etc/cron.d && mount -t tmpfs tare /var/lib && '
        '"$1" provision nightly && "$1" provision nightly && cp /etc/cron.d/tare-nightly "$2"'
    )
    said = run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-ec",
            script,
            "-",
            str(BIN / "tare"),
            str(tmp_path / "o"),
        ]
    )
    first, second = (line for line in said.splitlines() if line.startswith("localhost: "))
    assert "changed=2" in first
    assert "changed=0" in second
    line = (tmp_path / "o" / "tare-nightly").read_text().splitlines()[-1]
    assert line.startswith(f"0 2 * * * root cd /var/lib/tare-nightly && {BIN}/tare nightly nightly --keep 90 >> ")
    assert not Path("/etc/cron.d/tare-nightly").exists()
