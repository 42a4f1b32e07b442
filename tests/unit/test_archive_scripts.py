"""What the build scripts take from a distribution's archive, beside a fake apt that answers as releases did."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench.core.resources import shipped

DATA = Path(__file__).parent.parent / "data" / "apt"
RELEASES = {
    "trixie": ("6.12.117+deb13-cloud-amd64", {"image": "boot/vmlinuz-{v} lib/modules/{v}/kernel/x.ko"}),
    "sid": (
        "7.2.13+deb14-cloud-amd64",
        {
            "image": "usr/share/doc/linux-image-{v}",
            "base": "usr/lib/modules/{v}/modules.builtin",
            "binary": "usr/lib/modules/{v}/vmlinuz",
            "modules": "usr/lib/modules/{v}/kernel/x.ko",
        },
    ),
}
"""Release → its kernel's version, and the files of each of its packages that matter here (``dpkg-deb -c``)."""
PROGRAMS = {
    "apt-get": '[ "$1" = download ] || exit 0\nfor p; do case $p in linux-*) echo "$p" >"${p}_1_amd64.deb";; esac; done',
    "apt-cache": 'case $* in *linux-image-cloud-amd64) cat "$META";; *--recurse*) cat "$IMAGE";; esac',
    "dpkg-deb": 'cd "$3"\nfor f in $(sed -n "s/^$(cat "$2") //p" "$FILES"); do mkdir -p "$(dirname "$f")"; echo "$f" >"$f"; done',
    "depmod": "true",
}


def unpack(folder: Path, release: str, packages: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``kernel.sh`` with a fake apt."""
    version = RELEASES[release][0]
    programs = folder / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    lines = [f"linux-{kind}-{version} {files.format(v=version)}\n" for kind, files in packages.items()]
    (folder / "files").write_text("".join(lines), encoding="utf-8")
    script = shipped("provisioning") / "roles/guest_images/files/kernel.sh"
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "META": str(DATA / f"{release}-meta.txt"),
        "IMAGE": str(DATA / f"{release}-image.txt"),
        "FILES": str(folder / "files"),
    }
    argv = ["sh", str(script), str(folder), "digest", "linux-image-cloud-amd64 linux-image-amd64", "kernel"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("release", RELEASES)
def test_kernel_is_found_in_whatever_packages_a_release_splits_it_into(tmp_path: Path, release: str) -> None:
    version, packages = RELEASES[release]
    done = unpack(tmp_path, release, packages)
    assert done.returncode == 0, done.stderr
    kernel = tmp_path / "kernel"
    assert (kernel / "version").read_text() == f"{version}\n"
    assert "vmlinuz" in (kernel / "vmlinuz").read_text()
    assert (kernel / "modules/lib/modules" / version / "kernel/x.ko").is_file()
    assert {path.name for path in (kernel / "packages").iterdir()} == {
        f"linux-{kind}-{version}_1_amd64.deb" for kind in packages
    }


def test_kernel_without_vmlinuz_is_refused_with_the_packages_that_were_searched(tmp_path: Path) -> None:
    version, packages = RELEASES["sid"]
    done = unpack(tmp_path, "sid", {**packages, "binary": "usr/lib/modules/{v}/vmlinuz.zst"})
    assert done.returncode == 1
    assert f"the packages of kernel {version} have no vmlinuz: " in done.stderr
    assert f"linux-binary-{version}_1_amd64.deb" in done.stderr
    assert not (tmp_path / "kernel").exists()


POLICY = """base-files:
  Installed: 14.2
  Candidate: 14.2
  Version table:
 *** 14.2 500
        500 http://mirror/debian {suite}/main amd64 Packages
        100 /var/lib/dpkg/status
"""
ARCHIVE = {
    "apt-get": 'case $* in *ORIGIN*) printf "%s" "$TARGETS";; *RELEASE*) printf "%s" "$TARGETS" | cut -d" " -f3;; esac',
    "apt-cache": 'printf "%s" "$POLICY"',
    "apt-config": "echo 'Acquire::Retries \"3\";'; echo 'APT::Cache \"x\";'",
}


def sources_of(folder: Path, calls_itself: str, suites: list[str], base: str) -> tuple[str, list[str]]:
    """Return the suite and the sources that ``archive.sh`` chooses on a host whose apt has these suites."""
    programs = folder / "bin"
    programs.mkdir()
    for name, text in ARCHIVE.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TARGETS": "".join(f"Debian http://mirror/debian/ {suite} main\n" for suite in suites),
        "POLICY": POLICY.format(suite=base) if base else "base-files:\n  Installed: 14.2\n",
        "SUITE": calls_itself,
        "work": str(folder),
    }
    script = shipped("provisioning") / "files/archive.sh"
    argv = ["sh", "-euc", f". '{script}'; echo $SUITE"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    lines = (folder / "sources.list").read_text(encoding="utf-8").splitlines()
    return done.stdout.strip() or done.stderr.strip(), [line.rpartition("/ ")[2] for line in lines]


@pytest.mark.parametrize(
    ("calls_itself", "suites", "chosen", "used"),
    [
        (
            "bookworm",
            ["bookworm", "bookworm-updates", "bookworm-backports"],
            "bookworm",
            ["bookworm", "bookworm-updates"],
        ),
        ("forky", ["sid"], "sid", ["sid"]),
        ("forky", ["forky", "sid"], "forky", ["forky"]),
    ],
)
def test_suite_is_the_hosts_own_or_the_one_that_it_was_installed_from(
    tmp_path: Path, calls_itself: str, suites: list[str], chosen: str, used: list[str]
) -> None:
    found, sources = sources_of(tmp_path, calls_itself, suites, "sid")
    assert found == chosen
    assert sources == [f"{suite} main" for suite in used]


def test_host_whose_sources_have_nothing_of_its_release_is_refused_by_that_name(tmp_path: Path) -> None:
    found, _ = sources_of(tmp_path, "forky", ["experimental"], "")
    assert found == "this host's apt sources have no archive of Debian or Ubuntu for the suite 'forky'"
