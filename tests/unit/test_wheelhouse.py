"""Wheels for bare hosts: packed here, and installed there by the role ``harness``."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.core import proc
from bench.core.errors import ProvisionError, UsageError
from bench.hosts import provision, repacked, wheelhouse
from bench.hosts.wheelhouse import HostPython
from tests.fleet_local import load

PLACE = HostPython("3.12", "x86_64", "2.31")
FITS = {"version": "3.12", "full": "3.12.1", "implementation": "cpython"}


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    """Return the module that works on the hosts."""
    pytest.importorskip("ansible", reason="pip install 'tare-bench[provision]'")
    return load("roles/harness/library/tare_harness.py")


def test_wheel_of_an_installed_distribution_has_its_files_with_their_digests(tmp_path: Path) -> None:
    path = repacked.wheel("click", tmp_path)
    assert path.name == f"click-{metadata.version('click')}-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == names
        assert {"click/core.py", "click/__init__.py"} <= names
        for name, said, size in rows:
            if name != record:
                content = archive.read(name)
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (said, size) == (f"sha256={digest}", str(len(content)))
    assert repacked.requires_python(path).startswith(">=3.")


def test_name_of_a_wheel_has_all_its_tags() -> None:
    said = b"Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n"
    assert repacked._tag(said) == "py2.py3-none-any"
    said = b"Tag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    assert repacked._tag(said) == "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"


def test_wheel_is_the_same_each_time(tmp_path: Path) -> None:
    first = repacked.wheel("click", tmp_path).read_bytes()
    assert repacked.wheel("click", tmp_path).read_bytes() == first


def test_distribution_that_is_not_installed_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match=r"'no-such-thing' cannot be packed"):
        repacked.wheel("no-such-thing", tmp_path)


def test_wheels_are_chosen_for_the_hosts_python() -> None:
    words = HostPython("3.13t", "aarch64", "2.18").tags()
    assert words[:6] == ["--implementation", "cp", "--python-version", "3.13", "--abi", "cp313t"]
    tags = [tag for option, tag in itertools.pairwise(words) if option == "--platform"]
    assert tags == ["manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"]


@pytest.mark.parametrize(
    ("version", "glibc", "message"),
    [("three", "2.36", "'three' is not the version"), ("3.12", "none", "'none' is not a version of the GNU C library")],
)
def test_python_that_no_wheel_is_named_for_is_refused(version: str, glibc: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        HostPython(version, "x86_64", glibc).tags()


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Replace pip by one that makes a wheel of Tare and finds no other; return what it was asked for."""
    asked: list[Sequence[str]] = []

    def run(words: Sequence[str]) -> proc.Completed:
        asked.append(words)
        if words[0] == "wheel":
            wheel(Path(words[words.index("--wheel-dir") + 1]))
            return proc.Completed((), 0, "", "", 0, 0)
        return proc.Completed((), 1, "", "WARNING: old\nERROR: No matching distribution found for numpy\nmore\n", 0, 0)

    monkeypatch.setattr(wheelhouse, "_pip", run)
    return asked


def wheel(folder: Path, name: str = "tare_bench-0.1.0-py3-none-any.whl") -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("tare_bench-0.1.0.dist-info/METADATA", "Name: tare-bench\nRequires-Python: >=3.11\n")
    return folder / name


def test_wheelhouse_without_a_python_has_only_tare_and_describes_it(tmp_path: Path, pip: list[Sequence[str]]) -> None:
    made = wheelhouse.make(tmp_path / "new/tare.tar", None)
    with tarfile.open(tmp_path / "new/tare.tar") as tar:
        assert tar.getnames() == ["tare_bench-0.1.0-py3-none-any.whl"]
    assert made.requires_python == ">=3.11"
    assert made.sha256 == hashlib.sha256((tmp_path / "new/tare.tar").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "new/tare.tar.json").read_text()) == vars(made)
    assert [words[0] for words in pip] == ["wheel"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tare.tar", "tare.tar.json"]


@pytest.mark.usefixtures("pip")
def test_missing_wheel_is_said_with_the_hosts_python_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError) as caught:
        wheelhouse.make(tmp_path / "tare.tar", PLACE)
    assert "Python 3.12 on x86_64 with glibc 2.31: No matching distribution found for numpy" in str(caught.value)
    assert "harness_python" in str(caught.value)
    assert "harness_index: true" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "requires", "fits"),
    [
        ("3.11.0", ">=3.11", True),
        ("3.9.2", ">=3.11", False),
        ("4.0.1", ">=3.11", True),
        ("3.12.0rc1", ">=3.12", True),
        ("3.1.0", "", True),
    ],
)
def test_versions_are_compared_as_numbers(harness: ModuleType, version: str, requires: str, fits: bool) -> None:
    assert harness.fits(version, requires) is fits


def test_first_python_that_fits_is_taken_and_others_are_named_when_none_does(
    harness: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: dict[str, Any] = {
        "/bin/python3": {**FITS, "full": "3.9.2"},
        "/bin/pypy": {**FITS, "implementation": "pypy"},
        "/bin/python3.12": FITS,
    }
    monkeypatch.setattr(harness.shutil, "which", lambda name: f"/bin/{name}" if f"/bin/{name}" in there else None)
    monkeypatch.setattr(harness, "facts_of", there.get)
    assert harness.choose(["python3", "pypy", "python3.14", "python3.12"], ">=3.11") == (
        {**FITS, "path": "/bin/python3.12"},
        "",
    )
    found, problem = harness.choose(["python3", "pypy"], ">=3.11")
    assert found == {}
    assert problem.startswith(
        "/bin/python3 is cpython 3.9.2; /bin/pypy is pypy 3.12.1, and Tare needs Python >=3.11; install one"
    )
    assert harness.choose(["python9"], ">=3.11")[1].startswith("there is no python9, and")


def test_python_says_what_wheels_must_fit(harness: ModuleType) -> None:
    facts = harness.facts_of(sys.executable)
    assert facts["version"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert facts["venv"] is True
    assert harness.facts_of("/bin/true") is None


def archive_of(folder: Path, **members: bytes) -> Path:
    with tarfile.open(folder / "wheels.tar", "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return folder / "wheels.tar"


def test_failed_installation_leaves_the_wheels_and_nothing_else(harness: ModuleType, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, **{"tare.whl": b"no wheel"})
    given = {
        "home": str(tmp_path),
        "archive": str(archive),
        "archive_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "pythons": ["/bin/false"],
        "requires_python": ">=3.11",
        "index": False,
    }
    with pytest.raises(harness.Failed, match="no /bin/false, and Tare needs"):
        harness.install(given)
    assert list(tmp_path.iterdir()) == [archive]


def test_wheels_that_changed_on_the_way_or_leave_their_folder_are_refused(harness: ModuleType, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, **{"../tare.whl": b""})
    given = {"home": str(tmp_path / "home"), "archive": str(archive), "archive_sha256": "0"}
    (tmp_path / "home").mkdir()
    with pytest.raises(harness.Failed, match="has another digest"):
        harness.install(given)
    given["archive_sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(harness.Failed, match=r"'\.\./tare\.whl' is no wheel"):
        harness.install(given)
    assert not (tmp_path / "tare.whl").exists()


def test_tare_is_installed_only_if_its_digest_is_this_one_and_it_starts(harness: ModuleType, tmp_path: Path) -> None:
    assert not harness.is_installed(tmp_path, "d1")
    (tmp_path / harness.MARK).write_text('{"wheel": "d1"}')
    assert not harness.is_installed(tmp_path, "d1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tare").symlink_to("/bin/true")
    assert harness.is_installed(tmp_path, "d1")
    assert not harness.is_installed(tmp_path, "d2")
    assert harness.free_bytes(tmp_path / "not/yet") > 0


def test_tare_is_provisioned_on_the_hosts_of_an_inventory_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: dict[str, Any] = {}
    monkeypatch.setattr(provision, "play", lambda _book, _inventory, variables, **_: ran.update(variables))
    provision.provision([], inventory=tmp_path, check=True)
    assert ran["tare_roles"][0] == "harness"
    assert ran["harness_controller"] == sys.executable
    provision.provision(["tare", "runc"], inventory=tmp_path, check=True)
    assert ran["tare_roles"][0] == "harness"
    with pytest.raises(UsageError, match="'tare' is for other hosts"):
        provision.provision(["tare"], inventory=None, check=True)
