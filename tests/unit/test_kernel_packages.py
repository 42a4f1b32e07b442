"""Which packages of a distribution hold its kernel: ``kernel.sh`` beside a fake apt that answers as releases did."""

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
