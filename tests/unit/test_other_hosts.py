"""``make hosts`` without a host: what is taken over from apt and pip, when a root file system is kept, and its table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import archive, settings, table, visit
from tests.hosts.archive import CannotBuildError, Source
from tests.hosts.inside import Entry
from tests.hosts.visit import Step, Visit

TARGETS = "Debian|http://mirror/debian-security/|main\n|http://other/|main\nDebian|http://mirror/debian/|main\n"


def test_archive_is_that_of_the_hosts_own_apt_without_its_security_updates() -> None:
    assert archive.choose_uri(TARGETS) == "http://mirror/debian/"
    with pytest.raises(CannotBuildError, match="run 'apt-get update'"):
        archive.choose_uri("Ubuntu|http://mirror/ubuntu/|main\n")


def test_settings_of_apt_that_reach_the_archive_are_taken_over_and_no_others() -> None:
    dump = 'APT::Cache "x";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::Languages "none";\nAcquire::Retries "3";\n'
    kept = archive.choose_settings(dump)
    assert kept[:2] == ('Acquire::http::Proxy "http://proxy:3128";', 'Acquire::Retries "3";')
    assert 'Acquire::Check-Valid-Until "false";' in kept
    assert not any("Languages" in line for line in kept)


def test_root_file_system_is_kept_while_its_inputs_are_the_same_and_a_rolling_one_for_a_week(tmp_path: Path) -> None:
    stamp, source = tmp_path / "stamp.json", Source("http://a/", ())
    digest = archive.digest_of("sid", source)
    assert not archive.is_current(stamp, digest, "sid")
    stamp.write_text(json.dumps({"digest": digest, "made_s": 1000}))
    week = 7 * 86400
    assert archive.is_current(stamp, digest, "sid", 1000 + week - 1)
    assert not archive.is_current(stamp, digest, "sid", 1000 + week)
    assert archive.is_current(stamp, digest, "trixie", 1000 + 10 * week)
    assert not archive.is_current(stamp, archive.digest_of("sid", Source("http://a/", ("x",))), "sid", 1000)
    stamp.write_text("half a")
    assert not archive.is_current(stamp, digest, "sid", 1000)


def test_pip_options_become_variables_and_the_environment_takes_precedence() -> None:
    listed = ":env:.timeout='180'\nglobal.timeout='15'\nglobal.extra-index-url='https://a/simple https://b/simple'\nfreeze.timeout='1'\n"
    assert settings.pip_variables(listed) == {
        "PIP_TIMEOUT": "180", "PIP_EXTRA_INDEX_URL": "https://a/simple https://b/simple",
    }  # fmt: skip


def test_files_that_pip_options_name_are_shared_and_renamed(tmp_path: Path) -> None:
    (tmp_path / "index/simple").mkdir(parents=True)
    (tmp_path / "ca.pem").touch()
    shared: dict[str, str] = {}
    value = f"https://a/simple file://{tmp_path}/index/simple {tmp_path}/ca.pem /not/there"
    assert settings.visible(value, shared) == (
        f"https://a/simple file:///run/host{tmp_path}/index/simple /run/host{tmp_path}/ca.pem /not/there"
    )
    assert shared == {
        f"/run/host{tmp_path}/index": f"{tmp_path}/index",
        f"/run/host{tmp_path}/ca.pem": f"{tmp_path}/ca.pem",
    }


def test_environment_inside_has_proxies_and_nothing_else_of_the_starters() -> None:
    env, shared = settings.environment(
        {"HTTPS_PROXY": "http://p", "TARE_STATE": "/x", "LANG": "xx", "PATH": "/odd"}, ""
    )
    assert env["HTTPS_PROXY"] == "http://p"
    assert (env["LANG"], env["HOME"]) == ("C.UTF-8", "/root")
    assert "TARE_STATE" not in env
    assert "/odd" not in env["PATH"]
    assert shared == {}


def test_entry_survives_being_an_argument() -> None:
    entry = Entry("/a b", "h", ("sh", "-c", 'echo "$x"'), "/", {"x": "'\n"}, {"/run/host/ö": "/ö"})
    assert Entry.load(entry.dump()) == entry


def verdict(name: str, says: str = "", remedy: str = "") -> dict[str, Any]:
    return {"name": name, "ok": not says, "says": says or "started", "remedy": remedy}


def a_visit(**changes: Any) -> Visit:
    values: dict[str, Any] = {
        "steps": [Step("setup", 0, 61.4, 40.2, Path("/log/setup.txt"))],
        "targets": {"host": verdict("host"), "podman": verdict("podman")},
        "measured": {"host": {"ok": 2}, "podman": {"ok": 2}},
        "ready_s": {"host": 0.0012},
    }
    return Visit("trixie", **{**values, **changes})


def test_visit_in_which_everything_works_has_nothing_wrong() -> None:
    assert table.wrong([a_visit()], {}) == []


def test_everything_that_does_not_work_is_one_line() -> None:
    found = table.wrong(
        [
            a_visit(
                steps=[Step("sweep", 4, 1.0, 0.5, Path("/log/sweep.txt"))],
                targets={"podman": verdict("podman", "no nft", "install it")},
                parts=[verdict("provision cri", "failed at 'x': y")],
                measured={"podman": {"ok": 1, "failed": 1}},
                failed={"podman": ["failed: no nft"], "cri": ["left out: no plugins"]},
            )
        ],
        {"podman": verdict("podman")},
    )
    assert found == [
        "trixie: 'sweep' ended with 4: /log/sweep.txt",
        "trixie: provision cri: failed at 'x': y",
        "trixie: podman: does not run: no nft",
        "trixie: podman: failed: no nft",
        "trixie: cri: left out: no plugins",
    ]


def test_visit_without_doctor_or_run_is_wrong() -> None:
    assert table.wrong([Visit("sid")], {}) == ["sid: doctor said nothing of any target", "sid: nothing was measured"]


def test_target_that_does_not_run_on_this_host_either_is_not_wrong() -> None:
    broken = a_visit(targets={"runc": verdict("runc", "no cgroups")}, failed={"runc": ["left out: no cgroups"]})
    assert table.failing([broken, a_visit()]) == ["runc"]
    assert table.wrong([broken], {"runc": verdict("runc", "no cgroups")}) == []
    assert len(table.wrong([broken], {"runc": verdict("runc")})) == 2


def test_known_defect_of_a_release_is_not_wrong_there_and_is_elsewhere() -> None:
    failed = {"runsc": ["failed: it ended with status 2: panic: running on goroutine 47 (task goroutine is 0)"]}
    assert (
        table.wrong(
            [Visit("sid", targets={"runsc": verdict("runsc")}, measured={"runsc": {"ok": 1}}, failed=failed)], {}
        )
        == []
    )
    assert len(table.wrong([a_visit(failed=failed)], {})) == 1
    other = {"runsc": ["failed: it ended with status 2"]}
    assert (
        len(
            table.wrong(
                [Visit("sid", targets={"runsc": verdict("runsc")}, measured={"runsc": {"ok": 1}}, failed=other)], {}
            )
        )
        == 1
    )


def test_release_that_was_not_built_is_wrong() -> None:
    assert table.wrong([Visit("sid", unbuilt="no space")], {}) == ["sid: no space"]
    assert table.render([Visit("sid", unbuilt="no space")]).split() == ["sid"]


def test_table_has_a_row_a_target_and_a_column_a_release() -> None:
    other = Visit("sid", targets={"cri": verdict("cri", "no plugins", "run 'tare provision cri'")})
    lines = table.render([a_visit(), other]).splitlines()
    assert lines[0].split() == ["trixie", "sid"]
    assert lines[1].split("  ")[0] == "setup"
    assert "ok, 61 s (40 s of CPU time)" in lines[1]
    assert "not run" in lines[1]
    (host,) = (line for line in lines if line.startswith("host"))
    assert "ok  started; ready after 1.2 ms" in host
    assert "not tried" in host
    assert any(line.startswith("cri") and "no plugins → run 'tare provision cri'" in line for line in lines)


def test_doctor_that_printed_something_else_is_read_as_nothing() -> None:
    found = Visit("sid")
    visit.read_doctor(found, "Traceback: boom")
    assert (found.targets, found.parts) == ({}, [])
    visit.read_doctor(found, 'a warning\n{"targets": [{"name": "host", "ok": true}], "parts": []}')
    assert found.targets == {"host": {"name": "host", "ok": True}}


def test_run_is_read_from_its_results_folder(tmp_path: Path) -> None:
    found = Visit("sid")
    visit.read_run(found, Path("/not/there"))
    assert found.measured == {}
    shutil.copytree(visit.ROOT / "results/sample", tmp_path / "20261128T225609Z-e21e377a")
    visit.read_run(found, tmp_path)
    assert set(found.measured["host"]) == {"ok", "skipped"}
    assert set(found.failed) == {name for name, counts in found.measured.items() if set(counts) != {"ok"}}
    assert all(reason.startswith("skipped: ") for reason in found.failed["host"])
    assert found.ready_s["host"] < found.ready_s["runc"] < found.ready_s["docker"]


def test_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotBuildError, match="is no checkout whose files git can list"):
        visit.copy_checkout(tmp_path, tmp_path / "copy")


@pytest.mark.skipif(not (visit.ROOT / ".git").exists(), reason="these sources are no git checkout")
def test_copied_checkout_has_the_working_trees_files_without_ignored_ones(tmp_path: Path) -> None:
    visit.copy_checkout(visit.ROOT, tmp_path / "copy")
    assert (tmp_path / "copy/Makefile").read_bytes() == (visit.ROOT / "Makefile").read_bytes()
    assert not (tmp_path / "copy/.venv").exists()
    assert not (tmp_path / "copy/.git").exists()
