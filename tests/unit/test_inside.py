"""A run inside a guest, without starting one: the request, the events, and every way to end."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from bench import cli, report, store
from bench.core import proc
from bench.core.errors import Interrupted, LabError, TargetUnavailable, UsageError
from bench.core.model import Disturbance, Facts, Invocation, Outcome, RunState, Skipped, Status
from bench.report import sections
from bench.run import facts, inside, session
from bench.run.inside import kernel, machine, wire
from bench.scenario import parse_target
from tests.fakes import small
from tests.synthetic import write_run

TCG = machine.GuestMachine("tcg", "q35")
KERNEL = kernel.Kernel(
    Path("/g/vmlinuz"), Path("/g/i.cpio"), "6.1.0", Path("/g/modules"), {"kernel": "0", "initrd": "1"}
)
WHERE = parse_target("libvirt:guest=full")
OUTCOME = Outcome(
    "r1",
    0,
    "startup",
    "host",
    "host",
    {"n": 1},
    0,
    0,
    False,
    Status.FAILED,
    "no",
    flags=("held: 1",),
    disturbed=(Disturbance("processes", 2e8, 1e7),),
)


class Seen(session.RunObserver):
    """Records all calls, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def preparing(self, text: str) -> None:
        """Record the call."""
        self.told.append(text)

    def planned(self, run_id: str, skipped: Sequence[Skipped], invocations: Sequence[Invocation], total: int) -> None:
        """Record the call."""
        self.told.append((run_id, list(skipped), list(invocations), total))

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Record the call."""
        self.told.append((outcome, left))


@dataclasses.dataclass
class Guest(machine.Running):
    """A guest whose end is given by the test."""

    end: str | None = None

    def ended(self) -> str | None:
        """Return how the guest ended, ``None`` while it runs."""
        return self.end


def guest(folder: Path, end: str | None = None) -> Guest:
    return Guest("tare-1", 1, folder, folder, folder / "log", end)


def request(folder: Path) -> session.RunRequest:
    return session.RunRequest(
        [small(["fake"])], frozenset({"fake"}), 7, folder / "results", {"k": "v"}, ["tare", "run"]
    )


def test_request_is_read_back_as_written(tmp_path: Path) -> None:
    given = dataclasses.replace(request(tmp_path), surroundings={"inside": TCG.text})
    wire.write_request(tmp_path, given)
    assert wire.read_request(tmp_path) == dataclasses.replace(given, results=tmp_path / "results")


def test_guest_request_has_longer_time_limits_and_facts_of_the_host(tmp_path: Path) -> None:
    given = inside._guest_request(request(tmp_path), TCG, KERNEL)
    assert given.scenarios[0].timeout_s == 8 * request(tmp_path).scenarios[0].timeout_s
    assert given.tags == {"k": "v", "inside": "libvirt:accel=tcg,guest=full,machine=q35"}
    assert given.surroundings["outer.kernel"] == facts.host().values["kernel"]


def test_events_of_the_guest_reach_the_observer_on_the_host(tmp_path: Path) -> None:
    events, seen, same = wire.EventWriter(tmp_path), Seen(), Seen()
    for one in (events, same):
        one.preparing("host")
        one.planned("r1", [Skipped("s", "t", "why", "what")], [Invocation(0, "s", "host", {}, 0, 0, warmup=False)], 3)
        one.outcome(OUTCOME, 2)
    events.write("up", kernel="6.1")
    events.write("end", run_id="r1")
    for event in wire.EventReader(tmp_path).new():
        wire.forward(event, seen)
    assert seen.told == [*same.told, "in the guest, which is up with kernel 6.1"]


def test_incomplete_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    path, reader = tmp_path / wire.EVENTS, wire.EventReader(tmp_path)
    assert list(reader.new()) == []
    path.write_bytes(b'{"kind": "up"}\n{"kind"')
    assert [event["kind"] for event in reader.new()] == ["up"]
    with path.open("ab") as file:
        file.write(b': "end"}\n')
    assert [event["kind"] for event in reader.new()] == ["end"]


@pytest.mark.parametrize("line", [b"Kernel panic\n", b"[]\n", b"{}\n"])
def test_line_that_is_not_an_event_is_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / wire.EVENTS).write_bytes(line)
    with pytest.raises(LabError, match="not an event"):
        list(wire.EventReader(tmp_path).new())


def finished(folder: Path, state: RunState = RunState.RUNNING) -> str:
    """Write a run's folder where the guest would, and return its id."""
    made = write_run(folder / wire.RESULTS)
    meta = json.loads((made / "run.json").read_text())
    (made / "run.json").write_text(json.dumps({**meta, "state": state}))
    return made.name


def test_finished_run_is_moved_to_the_results(tmp_path: Path) -> None:
    (exchange := tmp_path / "x").mkdir()
    events = wire.EventWriter(exchange)
    run_id = finished(exchange, RunState.COMPLETE)
    events.outcome(OUTCOME, 0)
    events.write("end", run_id=run_id, measured=1, failed=1)
    result = inside._follow(guest(exchange, "off"), TCG, request(tmp_path), Seen())
    assert (result.run_id, result.measured, result.failed, result.interrupted) == (run_id, 1, 1, "")
    assert store.load(result.folder).meta["state"] == RunState.COMPLETE
    assert result.folder.parent == tmp_path / "results"


def test_unavailable_target_in_the_guest_is_raised_on_the_host(tmp_path: Path) -> None:
    wire.EventWriter(tmp_path).write("error", text="no such thing", remedy="get it", exit_code=3)
    with pytest.raises(TargetUnavailable, match=r"in the guest: no such thing \(get it\)"):
        inside._follow(guest(tmp_path, "off"), TCG, request(tmp_path), Seen())


@pytest.mark.parametrize("code", [2, 4, 70])
def test_exit_code_of_the_guest_is_kept(tmp_path: Path, code: int) -> None:
    wire.EventWriter(tmp_path).write("error", text="it went wrong", remedy=None, exit_code=code)
    with pytest.raises(inside.GuestError, match="in the guest: it went wrong") as raised:
        inside._follow(guest(tmp_path, "off"), TCG, request(tmp_path), Seen())
    assert raised.value.exit_code == code


def test_dead_guest_leaves_its_results_as_an_interrupted_run(tmp_path: Path) -> None:
    (exchange := tmp_path / "x").mkdir()
    run_id = finished(exchange)
    wire.EventWriter(exchange).write("up", kernel="6.1")
    with pytest.raises(LabError, match=rf"ended by itself: Kernel panic.*what was measured is in .*{run_id}"):
        inside._follow(guest(exchange, "Kernel panic"), TCG, request(tmp_path), Seen())
    assert store.load(tmp_path / "results" / run_id).meta["state"] == RunState.INTERRUPTED


def test_silent_guest_raises_after_the_time_limit(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"said nothing for 0\.2 s"):
        inside._listen(guest(tmp_path), inside._Progress(), Seen(), 0.2, 9)


def test_interrupt_keeps_the_results_of_the_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise Interrupted("got SIGTERM")

    (exchange := tmp_path / "x").mkdir()
    run_id = finished(exchange)
    monkeypatch.setattr(inside, "sleep_s", interrupted)
    result = inside._follow(guest(exchange), TCG, request(tmp_path), Seen())
    assert (result.run_id, result.interrupted) == (run_id, "got SIGTERM")
    assert store.load(result.folder).meta["state"] == RunState.INTERRUPTED


def test_run_in_a_guest_cannot_be_resumed(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    meta = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**meta, "state": "interrupted", "inside": TCG.text}))
    assert store.load(run).warnings == ("the run did not finish (state: interrupted); its guest is gone",)
    with pytest.raises(UsageError, match=f"was in the guest {TCG.text}, which is gone"):
        session.resume(run, Seen())


@pytest.mark.parametrize("options", [("--inside", "docker"), ("--resume", "x", "--inside", "libvirt:guest=full")])
def test_invalid_use_of_inside_exits_with_2(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = () if "--resume" in options else ("startup",)
    assert cli.run(["run", *names, *options, "--results", str(tmp_path)]) == 2
    assert "tare:" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["docker", "libvirt", "libvirt:guest=minimal", "libvirt:guest=full,network=user"])
def test_target_that_cannot_hold_a_run_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="libvirt:guest=full"):
        machine.check(parse_target(text))


@pytest.mark.parametrize(("accel", "kind", "cpus"), [("tcg", "qemu", "1"), ("kvm", "kvm", "2")])
def test_domain_mounts_the_host_read_only(accel: str, kind: str, cpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.engines.libvirt.guests.qemu", lambda: "/usr/bin/qemu")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    domain = ET.fromstring(  # noqa: S314 - XML of our own
        machine.definition("tare-1", KERNEL, machine.GuestMachine(accel, "q35"), Path("/lab/inside"))
    )
    shared = {one.find("source").get("dir"): one.find("readonly") for one in domain.iter("filesystem")}  # type: ignore[union-attr]
    assert list(shared) == ["/", "/lab/inside/x"]
    assert shared["/"] is not None
    assert (domain.get("type"), domain.findtext("vcpu"), domain.findtext("memory")) == (kind, cpus, str(2 * 2**30))
    assert ("mitigations=off" in domain.findtext("os/cmdline", "")) == (accel == "tcg")


@pytest.mark.parametrize(("given", "times"), [("8.0", 8.0), ("0.1", 1.0), ("soon", 1.0), (None, 1.0)])
def test_patience_is_read_from_the_environment(
    given: str | None, times: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TARE_PATIENCE", raising=False)
    if given is not None:
        monkeypatch.setenv("TARE_PATIENCE", given)
    assert proc._patience() == times


def modules(folder: Path) -> Path:
    dep = "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz\nkernel/net/9p/9pnet.ko.xz:\n"
    (folder / "modules.dep").write_text(dep + "kernel/fs/netfs/netfs.ko.xz:\nkernel/drivers/md/dm-mod.ko:\n")
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    return folder


def test_modules_are_ordered_by_dependency(tmp_path: Path) -> None:
    order = kernel.in_order(modules(tmp_path), ["ext4", "9p", "dm_mod", "crc32c_intel", "9pnet"])
    assert [Path(path).name for path in order] == ["netfs.ko.xz", "9pnet.ko.xz", "9p.ko.xz", "dm-mod.ko"]


def test_kernel_without_a_required_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match="has no module 'overlay'"):
        kernel.in_order(modules(tmp_path), ["9p", "overlay"])


def test_missing_kernel_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match=r"is not there \(run 'tare provision guest_images' as root\)"):
        kernel.load(tmp_path)


def test_initramfs_of_the_guest_holds_its_init_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_WANTED", ())
    (busybox := tmp_path / "busybox").write_bytes(b"a program")
    archive = kernel._initrd(tmp_path, modules(tmp_path), busybox)
    assert kernel.INIT_SCRIPT.read_bytes() in archive.read_bytes()


def test_start_script_of_the_guest_is_part_of_the_package() -> None:
    assert "-m bench.run.inside.guest" in machine.START_SCRIPT.read_text(encoding="utf-8")


def test_guest_has_another_fingerprint() -> None:
    known = Facts({"kernel": "6.1"}, facts.EPOCH)
    around = {"inside": TCG.text, "outer.kernel": "6.18", "outer.host": "a"}
    within = facts.within(known, around)
    assert within.values["outer.host"] == "a"
    assert facts.fingerprint(within) != facts.fingerprint(known)
    assert facts.fingerprint(within) == facts.fingerprint(facts.within(known, {**around, "outer.host": "b"}))
    assert facts.within(known, {}) == known


def test_every_table_and_report_names_the_guest(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    here = report.contents([report.collect(store.load(run))])
    meta = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**meta, "inside": TCG.text}))
    data = report.collect(store.load(run))
    there = report.contents([data])
    for name in ("report.md", "index.html"):
        assert "Everything here was measured in the guest" in there[name]
        assert "in the guest" not in here[name]
    assert TCG.text in there["report.md"].splitlines()[0]
    assert all(line.endswith(TCG.text + '"') for line in there["summary.csv"].splitlines()[1:])
    assert all(f"in the guest {TCG.text}" in str(one.meta["title"]) for one in data.scenarios)
    assert sections.in_guest(data).startswith("Everything here")
