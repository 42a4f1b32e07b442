"""Build root file systems of other releases from the archive that this host's own apt uses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("ca-certificates", "git", "make", "python3")
"""What README asks of a fresh machine."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_ROLLING_S = 7 * 86400
"""Age at which a release that changes every day is built again, seconds."""
_SETTINGS = ("http", "https", "ftp", "Retries", "ForceIPv4", "ForceIPv6", "Check-Valid-Until", "Check-Date")
_TIMEOUT_S = 900


class CannotBuildError(Exception):
    """This host cannot build root file systems of Debian at all; the reason says why."""


class BuildFailedError(Exception):
    """The tools are there and a root file system was not built; the message has what they said."""


@dataclass(frozen=True)
class Source:
    """How this host reaches Debian's archive: the address, and apt's settings (proxies, retries) as lines of apt.conf."""

    uri: str
    settings: tuple[str, ...]


def read_source() -> Source:
    """Return how this host's own apt reaches Debian's archive.

    Raises:
        CannotBuildError: This host is no Debian, or a needed program is missing.
    """
    for program in ("apt-get", "mmdebstrap"):
        if shutil.which(program) is None:
            msg = f"{program} is not there: root file systems are built on a Debian with mmdebstrap"
            raise CannotBuildError(msg)
    listed = _output(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(COMPONENT)", "Created-By: Packages"]
    )
    dump = _output(["apt-config", "dump"])
    return Source(choose_uri(listed), choose_settings(dump))


def choose_uri(listed: str) -> str:
    """Return the address of Debian's archive among apt's targets, one ``ORIGIN|URI|COMPONENT`` a line; not that of security.

    Raises:
        CannotBuildError: There is none.
    """
    for line in listed.splitlines():
        origin, uri, component = line.split("|")
        if origin == "Debian" and component == "main" and "security" not in uri:
            return uri
    msg = "this host's apt has no list of Debian's archive: run 'apt-get update'; an archive of another distribution has no Debian"
    raise CannotBuildError(msg)


def choose_settings(dump: str) -> tuple[str, ...]:
    """Return the lines of ``apt-config dump`` that say how archives are reached; a rolling release may be past its date."""
    kept = [line for line in dump.splitlines() if any(line.startswith(f"Acquire::{name}") for name in _SETTINGS)]
    return (*kept, 'Acquire::Check-Valid-Until "false";', 'APT::Install-Recommends "false";')


def ensure(suite: str, folder: Path, source: Source) -> Path:
    """Return the root file system of a release as it was installed, built if it is missing, differs or is too old.

    Raises:
        BuildFailedError: mmdebstrap failed.
    """
    base, stamp = folder / "base", folder / "stamp.json"
    digest = digest_of(suite, source)
    if base.is_dir() and is_current(stamp, digest, suite):
        return base
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".base.*"):
        shutil.rmtree(left)
    work = Path(tempfile.mkdtemp(prefix=".base.", dir=folder))
    work.chmod(0o755)  # apt downloads as a user of its own
    try:
        build(suite, work, source)
        shutil.rmtree(base, ignore_errors=True)
        (work / "root").rename(base)
        stamp.write_text(json.dumps({"digest": digest, "made_s": int(time.time())}), encoding="utf-8")
    finally:
        shutil.rmtree(work)
    return base


def digest_of(suite: str, source: Source) -> str:
    """Return the digest of everything that a root file system is built from, except what the archive has on that day."""
    inputs = [1, suite, source.settings, PACKAGES, os.uname().machine]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def is_current(stamp: Path, digest: str, suite: str, now_s: float | None = None) -> bool:
    """Say whether a root file system was built from these inputs, and not too long ago when its release is a rolling one."""
    try:
        made = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    age_s = (time.time() if now_s is None else now_s) - made["made_s"]
    return bool(made["digest"] == digest) and (suite not in ("sid", "unstable", "testing") or age_s < _ROLLING_S)


def build(suite: str, work: Path, source: Source) -> None:
    """Build a release into ``work/root``; what mmdebstrap mounts, it mounts in a mount namespace that ends with it."""
    conf = work / "apt.conf"
    conf.write_text("\n".join(source.settings) + "\n", encoding="utf-8")
    signed = f"[signed-by={KEYRING}] " if KEYRING.is_file() else ""
    argv = [
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(PACKAGES)}",
        f"--aptopt={conf}", "--dpkgopt=force-unsafe-io", suite, str(work / "root"), f"deb {signed}{source.uri} {suite} main",
    ]  # fmt: skip
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if done.returncode != 0:
        msg = f"mmdebstrap did not build {suite} (exit code {done.returncode}):\n{tail(done.stderr)}"
        raise BuildFailedError(msg)
    name = f"tare-{suite}"
    (work / "root/etc/hostname").write_text(f"{name}\n", encoding="utf-8")
    (work / "root/etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n", encoding="utf-8")


def tail(text: str, lines: int = 15) -> str:
    """Return the end of a program's output, where the error is."""
    return "\n".join(text.strip().splitlines()[-lines:])


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
