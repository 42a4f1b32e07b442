"""Real machines through the lab's own libvirtd: whole lives, and every way in which one can fail."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

if not os.environ.get("TARE_PROVISIONED"):  # where this host was just provisioned a missing binding is a failure
    pytest.importorskip("libvirt")

from bench.core.clock import EventHub, now_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable, TargetUnavailable
from bench.core.model import Phase, Target
from bench.engines.base import Bind, InstanceSpec
from bench.engines.evidence import links
from bench.engines.libvirt import connection, guests
from bench.engines.libvirt import network as cards
from bench.engines.libvirt.engine import Libvirt
from bench.lab import Lab, images, network
from bench.lab.paths import state_dir
from bench.workloads import dns, payload
from tests.contract import contract, far_end

pytestmark = [pytest.mark.root, pytest.mark.engines]

PROVISIONED = state_dir() / "guest"  # read before a test changes TARE_STATE
NEEDED = ("kernel/vmlinuz", "full/vmlinuz", "full/initrd.img", "full/base.ext4")
READY_S = 120.0  # a full guest under emulation takes 12 s on an idle host
KEEPALIVE_S = 2  # shorter than in use: a daemon that hangs is waited for four times as long


def listing() -> dict[str, float]:
    """What of the user's own libvirt could have been touched."""
    folders = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
    return {str(path): path.lstat().st_mtime for folder in folders for path in Path(folder).rglob("*")}


@pytest.fixture(scope="module")
def lab(built_state: Path) -> Iterator[Lab]:
    missing = [name for name in NEEDED if not (PROVISIONED / name).is_file()]
    if missing:
        contract.missing(
            TargetUnavailable(f"no guest images {', '.join(missing)} in {PROVISIONED}", "tare provision guest_images")
        )
    for name in NEEDED:
        link = built_state / "guest" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(PROVISIONED / name)
    (built_state / "guest/kernel/modules").symlink_to(PROVISIONED / "kernel/modules")
    before = listing()
    with pytest.MonkeyPatch.context() as patch, Lab("11b70001", state=built_state) as opened:
        patch.setattr(connection, "_KEEPALIVE_S", KEEPALIVE_S)
        yield opened
    assert listing() == before
    assert not (built_state / "run" / "11b70001").exists()
    for disk in (built_state / "guest" / "full").glob("*.raw"):
        disk.unlink()


@pytest.fixture(scope="module")
def hub(lab: Lab) -> Iterator[EventHub]:
    with EventHub() as opened:  # its thread must be in the lab's mount namespace
        yield opened


def prepared(lab: Lab, **options: str) -> Libvirt:
    text = ",".join(f"{key}={options[key]}" for key in sorted(options))
    engine = Libvirt(Target(f"libvirt:{text}" if text else "libvirt", "libvirt", options), lab)
    assert engine.prepare() is engine.prepare()
    return engine


@pytest.fixture(scope="module")
def minimal(lab: Lab) -> Libvirt:
    return prepared(lab)


def spec(lab: Lab, name: str, *arguments: str, timeout_s: float = 60) -> InstanceSpec:
    full_name = f"tare-{lab.short_id}-{name}"
    return InstanceSpec(full_name, lab.paths.run / "e" / name, arguments or ("--sleep",), timeout_s=timeout_s)


def link_names(lab: Lab) -> set[str]:
    return {str(link["ifname"]) for link in links.of(lab.daemons.namespace.holder.pid)}


def left_of(lab: Lab, name: str) -> list[Path]:
    return [path for path in lab.paths.run.rglob(f"*{name}*") if path.parent.name != "e"]


@pytest.mark.parametrize("options", [{}, {"machine": "pc"}, {"guest": "full"}], ids=["minimal", "pc", "full"])
def test_instance_life_leaves_nothing(lab: Lab, hub: EventHub, options: dict[str, str]) -> None:
    engine = prepared(lab, **options)
    accel, guest = guests.accelerator(lab).name, options.get("guest", "minimal")
    expected = {"accel": accel, "guest": guest} | options
    assert engine.target.text == "libvirt:" + ",".join(f"{key}={expected[key]}" for key in sorted(expected))
    work = spec(lab, f"life-{guest}")
    before = lab.residue()
    with hub.channel(work.events, engine.channel) as events:
        instance = engine.create(work)
        assert len(instance.pids()) == 1
        assert not events.stamps  # it stands still until it is started
        engine.start(instance)
        ready = events.wait(Phase.READY, READY_S, instance.alive)
        assert events.stamps[Phase.FIRST_INSTRUCTION] <= ready
        evidence = engine.evidence(instance)
        assert {key: evidence[key] for key in expected} == expected
        assert evidence["payload"] == images.payload(lab.paths.state).digest
        assert evidence["memory_bytes"] == str(work.memory_bytes)
        assert evidence["cpus"] == "1"
        assert instance.alive() is None
        engine.stop(instance)
        assert instance.pids() == set()
        assert instance.alive()
        engine.delete(work.name)
        engine.delete(work.name)
    assert left_of(lab, work.name) == []
    after = lab.residue()
    assert {key: after[key] for key in ("processes", "mounts")} == {key: before[key] for key in ("processes", "mounts")}


@pytest.mark.parametrize("kind", ["user", "bridge", "macvtap"])
def test_machine_has_requested_network(lab: Lab, hub: EventHub, kind: str) -> None:
    engine = prepared(lab, network=kind)
    work = spec(lab, f"near-{kind}", "--look", *far_end.ASKS)
    before = link_names(lab)
    with far_end.answering(lab, hub), hub.channel(work.events, engine.channel) as events:
        instance = engine.create(work)
        engine.start(instance)
        events.wait_line(dns.END, READY_S, instance.alive)
        evidence = engine.evidence(instance)
        engine.delete(work.name)
    assert (evidence["network"], evidence["nic"]) == (kind, "virtio-net-pci")
    assert evidence["vhost"] == ("yes" if Path("/dev/vhost-net").exists() else "no")
    assert payload.look(events.lines)["interfaces"] == "2"
    far_end.check([line.text for line in events.lines])
    assert link_names(lab) == before


def test_machine_without_network_has_no_path(lab: Lab, minimal: Libvirt) -> None:
    with pytest.raises(NotApplicable, match="use network=user, bridge, macvtap"):
        minimal.network_path(None)
    assert prepared(lab, network="user").network_path(None).address == network.PEER_ADDRESS


def test_full_guest_with_network_is_unavailable(lab: Lab) -> None:
    with pytest.raises(TargetUnavailable, match="guest=minimal,network=user"):
        prepared(lab, guest="full", network="user")


def test_macvtap_is_unavailable_beside_foreign_devices(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_TAPS", "nul[l]")  # a device that is certainly nobody's card of ours
    with pytest.raises(TargetUnavailable, match="/dev/null"):
        prepared(lab, network="macvtap")


def test_facts_contain_versions_and_digests(minimal: Libvirt) -> None:
    facts = minimal.prepare()
    assert {"libvirt", "qemu", "qemu_digest", "accel", "machine", "guest_kernel", "guest_payload"} <= facts.epoch
    assert set(facts.values) - facts.epoch == {"accel_trial"}


@pytest.mark.parametrize("guest", ["minimal", "full"])
def test_guest_payload_gets_its_arguments(lab: Lab, hub: EventHub, guest: str) -> None:
    engine = prepared(lab, guest=guest)
    work = spec(lab, f"mute-{guest}", "--touch", "4096", "--mute", "--sleep")
    with hub.channel(work.events, engine.channel) as events:
        instance = engine.create(work)
        engine.start(instance)
        events.wait(Phase.FIRST_INSTRUCTION, READY_S, instance.alive)
        with pytest.raises(InvocationTimeout, match="'ready' did not arrive"):
            events.wait(Phase.READY, 1, instance.alive)
        engine.delete(work.name)  # without having been stopped
        assert instance.pids() == set()


def test_guest_sees_host_folder_with_evidence(lab: Lab, hub: EventHub, minimal: Libvirt, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(images.payload(lab.paths.state).path, tmp_path / "bin/program")
    plain = minimal.prepare().values["guest_initrd"]
    program = ("--run", "{tools}/bin/program", "--events", "fd:1", "--look", "--exit")
    work = replace(spec(lab, "given", "--sleep", *program), binds=(Bind("tools", tmp_path),))
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        assert events.wait_line("C run", READY_S, instance.alive).text == "C run 0"
        evidence = minimal.evidence(instance)
        minimal.delete(work.name)
    assert "O R" in [line.text for line in events.lines]
    assert evidence["payload"] == images.payload(lab.paths.state).digest
    assert evidence["initrd"][:16] != plain
    assert left_of(lab, work.name) == []


def test_folder_that_a_guest_cannot_get_is_not_applicable(lab: Lab, minimal: Libvirt, tmp_path: Path) -> None:
    written = replace(spec(lab, "written"), binds=(Bind("scratch", tmp_path, read_only=False),))
    with pytest.raises(NotApplicable, match="cannot write to them: scratch"):
        minimal.create(written)
    given = replace(spec(lab, "full"), binds=(Bind("tools", tmp_path),))
    with pytest.raises(NotApplicable, match="use guest=minimal"):
        prepared(lab, guest="full").create(given)
    small = replace(given, memory_bytes=64 * 2**20)
    with pytest.raises(NotApplicable, match="give it memory_bytes="):
        minimal.create(small)
    assert left_of(lab, written.name) == left_of(lab, given.name) == []


def test_minimal_guest_sees_only_itself(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "looks", "--look", "--sleep")
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        events.wait_line("E look", READY_S, instance.alive)
        minimal.delete(work.name)
    seen = payload.look(events.lines)
    assert seen["pid"] == "1"
    assert int(seen["processes"]) > 1  # the guest kernel's own threads
    assert seen["interfaces"] == "1"


def test_killed_qemu_is_reported(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "killed")
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        (pid,) = instance.pids()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(InvocationFailed, match=f"its QEMU .pid {pid}. has ended"):
            events.wait(Phase.READY, 30, instance.alive)
        minimal.stop(instance)
        minimal.delete(work.name)
    assert left_of(lab, work.name) == []


def test_failing_guest_payload_is_quoted(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "wrong", "--nonsense")
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        with pytest.raises(InvocationFailed, match=r"console: .*tare-payload: unknown option '--nonsense'"):
            events.wait(Phase.READY, 60, instance.alive)
        minimal.delete(work.name)


def test_failed_create_leaves_nothing(lab: Lab, minimal: Libvirt) -> None:
    unheard = spec(lab, "unheard")  # nobody listens at its event socket
    with pytest.raises(InvocationFailed, match=r"libvirt: .*unheard"):
        minimal.create(unheard)
    minimal.delete(unheard.name)
    assert left_of(lab, unheard.name) == []
    unsaid = spec(lab, "unsaid", "--name", "two words")
    with pytest.raises(InvocationFailed, match="cannot carry the payload argument 'two words'"):
        minimal.create(unsaid)
    minimal.delete(unsaid.name)
    minimal.delete("tare-never-there")
    assert left_of(lab, unsaid.name) == []


def test_hanging_qemu_times_out(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "hung", timeout_s=2)
    with hub.channel(work.events, minimal.channel):
        instance = minimal.create(work)
        (pid,) = instance.pids()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(InvocationTimeout, match="did not answer within 2 s"):
            minimal.start(instance)
        assert instance.pids() == set()
        minimal.delete(work.name)


def test_qemu_that_ignores_sigterm_is_killed(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "deaf")
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        events.wait(Phase.READY, READY_S, instance.alive)
        (pid,) = instance.pids()
        os.kill(pid, signal.SIGSTOP)
        begin = now_s()
        minimal.stop(instance)
        assert 9 < now_s() - begin < 20
        assert instance.pids() == set()
        minimal.delete(work.name)


def test_kvm_is_unavailable_when_trial_guest_fails(lab: Lab) -> None:
    if guests.accelerator(lab).name == "kvm":
        pytest.skip("KVM runs guests here")
    with pytest.raises(TargetUnavailable, match="KVM cannot run a guest here: "):
        prepared(lab, accel="kvm")


def test_hanging_or_dead_libvirtd_is_reported(lab: Lab, hub: EventHub, minimal: Libvirt) -> None:
    work = spec(lab, "orphan")
    daemon = int(Path("/run/libvirtd.pid").read_text(encoding="ascii"))
    with hub.channel(work.events, minimal.channel) as events:
        instance = minimal.create(work)
        minimal.start(instance)
        events.wait(Phase.READY, READY_S, instance.alive)
        os.kill(daemon, signal.SIGSTOP)
        begin = now_s()
        with pytest.raises(InvocationFailed, match="libvirt: "):
            minimal.evidence(instance)
        assert now_s() - begin < 4 * KEEPALIVE_S + 9
        os.kill(daemon, signal.SIGKILL)
        with pytest.raises(InvocationFailed, match="libvirt: "):
            minimal.delete(work.name)
        assert instance.pids() == set()  # what the dead libvirtd cannot end is ended all the same
    assert not (lab.paths.run / "b" / work.name).exists()  # libvirtd's own notes of it go with the lab
