"""Tests of what is said of a fleet: reasons, notes, a night's summary, progress."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import __version__
from bench.cli import hosts_progress
from bench.hosts import night, reasons, wording
from bench.hosts.ansible import PlayResult
from bench.hosts.records import Clock, Gathered, HostRun
from bench.hosts.tasks import TaskEvent
from tests.synthetic_pairs import write

CHANGED = """Failed to connect to the host via ssh: @@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
The fingerprint for the ED25519 key sent by the remote host is
SHA256:abc.
Please contact your system administrator.
Host key verification failed."""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (CHANGED, "its host key is not the one in known_hosts (SHA256:abc); nothing was sent to it"),
        (
            "Failed to connect to the host via ssh: No ED25519 host key is known for a and you have requested strict checking.\n"
            "Host key verification failed.",
            "its host key is not in known_hosts; nothing was sent to it",
        ),
        (
            "Failed to connect to the host via ssh: ssh: connect to host a port 22: Connection refused",
            "ssh: connect to host a port 22: Connection refused",
        ),
        ("", "unreachable"),
    ],
)
def test_reason_of_an_unreachable_host_is_one_line(message: str, reason: str) -> None:
    assert reasons.unreachable(message) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("preparing x\ntare: cannot write /a: No space left\nfree space", "cannot write /a: No space left free space"),
        ("one\ntwo\nthree", "two; three"),
        ("", ""),
    ],
)
def test_reason_of_a_run_that_ended_is_the_last_complaint(said: str, reason: str) -> None:
    assert reasons.ended(said) == reason


def test_notes_say_what_would_mislead() -> None:
    hosts = [
        HostRun("a", clock=Clock(-90000.0, 0.2), version=__version__, name="node", boot="1"),
        HostRun("b", clock=Clock(1.1, 0.2), version="0.0.9", name="node", boot="2"),
        HostRun("c", boot="3", name="c"),
        HostRun("d", boot="3", name="d"),
    ]
    assert list(wording.notes(hosts)) == [
        "a: its clock is 90000 s behind this host's (± 200 ms); dates of its runs are wrong by that, durations are not",
        f"b: has Tare 0.0.9, this is {__version__}",
        "c, d: one kernel under several names; what is measured there at the same time disturbs each other",
        "a, b: each calls itself 'node'; the tag fleet.host tells their runs apart",
    ]


@pytest.mark.parametrize(
    ("codes", "worst"),
    [([0, 0], 0), ([0, 5], 5), ([5, 4, 0], 4), ([5, 4, 1], 1), ([0, None], 4), ([0, 130], 4), ([0, 3], 4), ([], 4)],
)
def test_exit_code_of_a_fleets_night_is_that_of_the_worst_host(codes: list[int | None], worst: int) -> None:
    hosts = tuple(HostRun(str(place), "run" if code is not None else "", code) for place, code in enumerate(codes))
    assert Gathered(hosts, PlayResult({}, (), Path())).worst == worst


def test_summary_of_a_night_groups_regressions_by_series(tmp_path: Path) -> None:
    def finding(ratio: float, known: dict[str, str] | None = None) -> dict[str, object]:
        names = {"scenario": "startup", "target": "runc", "params": {}, "metric": "startup.ready_s"}
        return {**names, "reference": "", "ratio": ratio, "acknowledged": known}

    for name, confirmed in (("a", [finding(1.2)]), ("b", [finding(1.3)]), ("c", [finding(9, {"reason": "known"})])):
        write(tmp_path, name, {"host": [0.1] * 3})
        record = {"headline": "REGRESSED: 1 of 3 series.", "confirmed": confirmed, "new": []}
        (tmp_path / name / "nightly.json").write_text(json.dumps(record))
    hosts = (
        HostRun("a", "a", 1),
        HostRun("b", "b", 1),
        HostRun("c", "c", 0),
        HostRun("d", reason="No route | to host"),
    )
    found = Gathered(hosts, PlayResult({}, (), Path()), "f")
    paths = night.write(found, "nightly", tmp_path, tmp_path / "out")
    text = paths[0].read_text()
    assert "4 hosts: 2 regressed, 1 without a whole night, 1 without a regression." in text
    assert "- startup/runc/startup.ready_s: a (× 1.20), b (× 1.30)\n" in text
    assert "| d | failed | – | No route \\| to host |" in text
    record = json.loads(paths[1].read_text())
    assert record["exit_code"] == 1
    assert [one["night"] is not None for one in record["hosts"]] == [True, True, True, False]


def test_progress_is_a_line_whenever_a_host_has_something_new_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    with hosts_progress.observer(quiet=False) as watch:
        for host, text in (("a", "block 1"), ("b", "block 1"), ("a", "block 1"), ("a", "block 2")):
            watch.on_progress(host, text)
        watch.on_event(TaskEvent("a", "harness", "Copy the wheel", "changed"))
        watch.on_event(TaskEvent("a", "", "Ask the host", "changed"))
    said = capsys.readouterr().err.splitlines()
    assert said == ["a: block 1", "b: block 1", "a: block 2", "a: harness: Copy the wheel: changed"]


def test_progress_on_a_terminal_is_a_line_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        hosts_progress, "Console", lambda **_: Console(file=screen, force_terminal=True, width=40, height=10)
    )
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with hosts_progress.observer(quiet=False) as watch:
        watch.on_progress("a", "block 1")
        watch.on_progress("b", "block 1")
        watch.on_progress("a", "block 2")
    last = screen.getvalue().rpartition("\x1b[2K")[2]
    assert "a" in screen.getvalue()
    assert "block 2" in screen.getvalue()
    assert "block 1" in last
