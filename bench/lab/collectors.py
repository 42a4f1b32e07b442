"""The lab's own rsyslogd and journald, which take logs by their sockets; they end with the lab.

journald needs no systemd as process 1: it makes its sockets in ``/run``, which is the lab's own. Both store in the run's folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.core.errors import TargetUnavailable
from bench.lab import Lab
from bench.lab.daemons import Daemons

SYSLOG, JOURNAL = "rsyslogd", "journald"
_RUN = Path("/run")
_JOURNAL_SOCKET = _RUN / "systemd/journal/socket"
JOURNAL_FOLDER = _RUN / "log/journal"
"""Where the lab's journald stores, and where readers look for it; the lab's own, like all of ``/run``."""
_JOURNALD = ("/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald")
_RSYSLOG = """global(workDirectory="{home}" maxMessageSize="64k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{home}/s")
template(name="each" type="string" string="{home}/logs/%programname%")
template(name="plain" type="string" string="%syslogtag%%msg%\\n")
action(type="omfile" dynaFile="each" template="plain")
"""
_JOURNAL_CONF = """[Journal]
Storage=volatile
RuntimeMaxUse=1G
RuntimeKeepFree=1G
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToKMsg=no
ForwardToConsole=no
ForwardToWall=no
"""
"""The rate limit is left at its default, which is a fact of the result. Nothing is forwarded out of the lab."""


def syslog(lab: Lab) -> Path:
    """Start the lab's rsyslogd unless it runs, and return its datagram socket.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start.
    """
    daemons = lab.daemons
    home = daemons.home(SYSLOG)
    if SYSLOG not in daemons.running:
        program = proc.find("rsyslogd", "run 'tare provision logging' as root")
        (home / "logs").mkdir(exist_ok=True)
        (home / "s").unlink(missing_ok=True)
        conf = home / "rsyslog.conf"
        conf.write_text(_RSYSLOG.format(home=home), encoding="utf-8")
        argv = [program, "-n", "-f", str(conf), "-i", str(home / "pid")]
        daemons.start(SYSLOG, argv, (home / "s").exists)
    return home / "s"


def syslog_file(lab: Lab, name: str) -> Path:
    """Return the file in which rsyslogd stores what is tagged with a name."""
    return lab.daemons.home(SYSLOG) / "logs" / name


def journal(lab: Lab) -> Path:
    """Start the lab's journald unless it runs, and return its folder.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start.
    """
    daemons = lab.daemons
    if JOURNAL not in daemons.running:
        program = next((path for path in _JOURNALD if Path(path).exists()), None)
        if program is None:
            msg = "this host has no systemd-journald"
            raise TargetUnavailable(msg, "install systemd, or measure another log driver")
        proc.find("journalctl", "install systemd")
        _furnish(daemons)
        daemons.start(JOURNAL, [program], lambda: _JOURNAL_SOCKET.exists() and bool(_journals()))
    return JOURNAL_FOLDER


def _furnish(daemons: Daemons) -> None:
    """Write journald's configuration and mount a folder of the run where it stores."""
    conf = _RUN / "systemd/journald.conf.d/tare.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(_JOURNAL_CONF, encoding="utf-8")
    JOURNAL_FOLDER.mkdir(parents=True, exist_ok=True)
    _JOURNAL_SOCKET.unlink(missing_ok=True)
    if not JOURNAL_FOLDER.is_mount():
        daemons.namespace.run(["mount", "--bind", str(daemons.home(JOURNAL)), str(JOURNAL_FOLDER)])


def _journals() -> list[Path]:
    return sorted(JOURNAL_FOLDER.rglob("*.journal"))


def journal_bytes() -> int:
    """Return how much of the journal's files is used: they grow in steps of 8 MiB.

    The header names its own length and the place of the last object (systemd's docs/JOURNAL_FILE_FORMAT.md, "Header").
    """
    heads = []
    for path in _journals():
        with path.open("rb") as file:
            heads.append(file.read(144))
    return sum(int.from_bytes(head[136:144], "little") for head in heads if len(head) == 144)


def journal_facts() -> dict[str, str]:
    """Return journald's rate limit: what its configuration says, and whether it suppressed messages of this run."""
    said = proc.run(
        [
            proc.find("journalctl", "install systemd"),
            f"--directory={JOURNAL_FOLDER}",
            "-o",
            "cat",
            "SYSLOG_IDENTIFIER=systemd-journald",
        ],
        timeout_s=30,
    ).stdout
    suppressed = sum(int(found) for found in re.findall(r"Suppressed (\d+) messages", said))
    return {"journald_rate_limit": _rate_limit(), "journald_suppressed": str(suppressed)}


def _rate_limit() -> str:
    """Return the rate limit in force: systemd's default unless the host's configuration sets another one (journald.conf(5))."""
    files = [Path("/etc/systemd/journald.conf"), *sorted(Path("/etc/systemd/journald.conf.d").glob("*.conf"))]
    said = [pair for path in files for pair in re.findall(r"(?m)^(RateLimit\w+)=(\S+)", kernelfiles.text(path))]
    found = {"RateLimitIntervalSec": "30s", "RateLimitBurst": "10000", **dict(said)}
    limit = f"{found['RateLimitBurst']} messages of a unit in {found['RateLimitIntervalSec']}"
    return f"{limit}; a process outside of any unit has none"
