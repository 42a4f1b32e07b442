"""Virtual machines of the lab's own libvirtd: a QEMU that runs the payload, created and destroyed through libvirt's API."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import libvirt

from bench.core import proc
from bench.core.errors import NotApplicable, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import given, trial
from bench.engines.abilities import BootFiles, Commands, NetworkPath
from bench.engines.base import (
    Bind,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_hardening,
    refuse_health,
    refuse_limits,
    refuse_log,
    refuse_restart,
)
from bench.engines.evidence import process
from bench.engines.libvirt import connection, daemon, guests, modules
from bench.engines.libvirt import disk as disks
from bench.engines.libvirt import domain as domains
from bench.engines.libvirt import network as cards
from bench.lab import Lab, network

_CLEANUP_S = 30.0
_REMEDY = "run 'tare provision libvirt' as root"


class Libvirt:
    """Transient machines: libvirt forgets them when they end, so nothing of them outlives a run."""

    phases = frozenset(Phase)
    kind: Kind = "machine"
    channel: Transport = "stream"
    polls_s: Mapping[Phase, float] = {Phase.STOPPED: 0.2}
    """libvirt sends SIGTERM and sleeps 200 ms before it looks for the first time whether QEMU has ended, and between two looks.

    Source: virProcessKillPainfullyDelay of libvirt's src/util/virprocess.c.
    """

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._facts: Facts | None = None
        self._network = target.options.get("network", "none")
        self._disk = target.options.get("disk", "none")
        self._addresses = cards.Addresses(self._network)

    def prepare(self) -> Facts:
        """Choose the accelerator, make the guest, start libvirtd, and prove by a trial with a minimal guest that all works."""
        if self._facts is None:
            self._facts = self._prepare()
        return self._facts

    def _prepare(self) -> Facts:
        _ = self._lab.daemons  # without root libvirtd cannot be started
        self._qemu_img = proc.find("qemu-img", _REMEDY)
        verdict = guests.accelerator(self._lab)
        accel = self.target.options.get("accel", verdict.name)
        if accel == "kvm" and verdict.name != "kvm":
            raise TargetUnavailable(f"KVM cannot run a guest here: {verdict.why}", "use accel=tcg, or a host with KVM")
        machine = self.target.options.get("machine", "q35")
        self._machine = domains.Machine(accel, machine, guests.qemu())
        self._settle(accel)
        self._connection = connection.connect(self._lab)
        state = self._lab.paths.state
        self._guest = guests.minimal(state, self._kernel())
        self._plug_in()
        with self._trial_data() as binds:
            trial.run(self, self._lab, binds)
        full = self.target.options["guest"] == "full"
        if full:
            self._guest = guests.full(state)
        kernel, initrd = self._guest.kernel, self._guest.initrd
        self.boot_files = (
            BootFiles(shared=(kernel, initrd), disk=self._guest.disk) if full else BootFiles((initrd,), (kernel,))
        )
        return self._read_facts(verdict)

    def create(self, spec: InstanceSpec) -> Instance:
        """Make the disk's writable layer, if there is a disk, and a machine that is paused before its first instruction."""
        refuse_limits(self.target, spec)
        refuse_log(self.target, spec)
        refuse_restart(self.target, spec)
        refuse_health(self.target, spec)
        refuse_hardening(self.target, spec)
        storage = disks.of(spec, self._disk, self._lab.paths.state)
        folders = domains.folders(storage.rest) | self._modules
        guest = guests.with_folders(self._guest, folders, domains.memory_bytes(spec))
        self._lab.journal.add("domain", name=spec.name)
        home = self._home(spec.name)
        home.mkdir()
        definition = domains.domain_xml(spec, guest, self._machine, home, card=self._card(spec.name), storage=storage)
        storage.make(self._qemu_img, spec.timeout_s)
        if guest.disk is not None:
            disks.make_overlay(self._qemu_img, guest.disk, home / domains.DISK, spec.timeout_s)
        with connection.limited(spec.name, spec.timeout_s):
            flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
            domain = self._connection.createXML(definition, flags)
        pid = domains.pid_of(spec.name)
        handle = {"domain": domain, "guest": guest, "pid": pid, "timeout_s": spec.timeout_s}
        console, log = home / domains.CONSOLE, daemon.log_of(self._lab, spec.name)
        return Instance(spec.name, lambda: _pids(spec.name, pid), lambda: domains.ended(pid, console, log), handle)

    def start(self, instance: Instance) -> None:
        """Resume the machine; return when QEMU has started its processors."""
        with connection.limited(instance.name, instance.handle["timeout_s"]):
            instance.handle["domain"].resume()

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Ask the machine's QEMU what it is, and read the digests of what it runs.

        The payload's digest is that of the file that the machine booted from: the initramfs that contains it, or the disk
        from which it was read back after it was written.
        """
        with connection.limited(instance.name, _CLEANUP_S):
            found = domains.live_facts(instance.handle["domain"], instance.handle["guest"])
            found |= disks.live_facts(instance.handle["domain"])
            found |= cards.live_facts(instance.handle["domain"], instance.handle["pid"], self._lab)
        program = Path(f"/proc/{instance.handle['pid']}/exe")
        return found | {"qemu_digest": process.digest(program), "payload": self._guest.digests["payload"]}

    def stop(self, instance: Instance) -> None:
        """Have libvirt end QEMU: SIGTERM, after 10 s SIGKILL; libvirt checks only every 200 ms whether it has ended."""
        with connection.limited(instance.name, _CLEANUP_S):
            connection.destroy(self._connection, instance.name)

    def delete(self, name: str) -> None:
        """End the machine if it still runs and remove its disk and logs; succeed when there is none."""
        home = self._home(name)
        try:
            with connection.limited(name, _CLEANUP_S):
                connection.destroy(self._connection, name)
        finally:
            shutil.rmtree(home, ignore_errors=True)
            daemon.log_of(self._lab, name).unlink(missing_ok=True)
            self._addresses.give_back(name)

    def network_path(self, instance: Instance | None) -> NetworkPath:
        """Return the path to the second host, which every machine with a network card can reach."""
        if self._network not in cards.KINDS:
            msg = f"'{self.target.text}' has no network; use network={', '.join(cards.KINDS)}"
            raise NotApplicable(msg)
        return NetworkPath("peer", network.PEER_ADDRESS)

    @property
    def commands(self) -> Commands:
        """How further commands are run: not at all.

        Raises:
            NotApplicable: Always.
        """
        msg = (
            f"'{self.target.text}' cannot run a further command in a machine: that needs a QEMU guest agent in the guest, and "
            "neither guest has one (the minimal guest is the payload alone)"
        )
        raise NotApplicable(msg)

    def _home(self, name: str) -> Path:
        return self._lab.paths.run / "b" / name

    def _kernel(self) -> Path | None:
        """Return the kernel that ``kernel`` names: only for a minimal guest without devices, because its modules are unknown."""
        path = given.file(self.target, "kernel")
        if path is None:
            return None
        if self.target.options["guest"] == "full":
            raise TargetUnavailable("the full guest's modules are those of its own kernel", "use guest=minimal,kernel=")
        for option, kinds in (("network", cards.KINDS), ("disk", disks.KINDS)):
            if self.target.options.get(option) in kinds:
                reason = (
                    f"'{self.target.text}': a card or a disk takes modules, and there are none of the kernel '{path}'"
                )
                raise TargetUnavailable(reason, f"leave out {option}, or kernel")
        return path

    def _plug_in(self) -> None:
        """Make the machines' network and find the drivers of their devices."""
        self._modules: dict[str, Path] = {}
        names = disks.MODULES * (self._disk in disks.KINDS)
        names += cards.MODULES * (self._network in cards.KINDS)
        if names:
            self._modules = {modules.NAME: modules.folder(self._lab.paths.state, names).path}
        if self._network not in cards.KINDS:
            return
        if self.target.options["guest"] == "full":
            reason = "the full guest's own system sets up its network and has no configuration for it"
            raise TargetUnavailable(reason, f"use guest=minimal,network={self._network}")
        cards.set_up(self._lab, self._network)

    @contextlib.contextmanager
    def _trial_data(self) -> Iterator[tuple[Bind, ...]]:
        """Yield the data binds of a trial, where machines have a data disk; remove what it leaves there."""
        if self._disk not in disks.KINDS:
            yield ()
            return
        if self.target.options["guest"] == "full":
            reason = (
                "the full guest boots from its own disk and takes no folder of the host, so nothing in it could measure"
            )
            raise TargetUnavailable(reason, f"use guest=minimal,disk={self._disk}")
        folder = self._lab.paths.run / "trial-data"
        try:
            yield disks.trial(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _card(self, name: str) -> cards.Card | None:
        """Return a machine's network card, ``None`` where machines have none."""
        if self._network not in cards.KINDS:
            return None
        return cards.Card(self._network, self._addresses.take(name))

    def _settle(self, accel: str) -> None:
        """Put every choice into the target, so that the label of each measurement is complete."""
        options = {"guest": "minimal", **self.target.options, "accel": accel}
        text = ",".join(f"{key}={options[key]}" for key in sorted(options))
        self.target = replace(self.target, text=f"{self.target.engine}:{text}", options=options)

    def _read_facts(self, verdict: guests.Accelerator) -> Facts:
        with connection.limited("", _CLEANUP_S):
            versions = {"libvirt": self._connection.getLibVersion(), "qemu": self._connection.getVersion()}
        values = {
            name: f"{number // 10**6}.{number // 1000 % 1000}.{number % 1000}" for name, number in versions.items()
        }
        values |= {"qemu_digest": process.digest(Path(self._machine.emulator)), "accel": self._machine.accel}
        values |= {"guest_release": guests.release(self._guest.kernel)}
        values |= {"accel_trial": verdict.why, "guest": self._guest.name, "machine": self._machine.machine}
        values |= {f"guest_{name}": digest[:16] for name, digest in self._guest.digests.items()}
        return Facts(values, frozenset(values) - {"accel_trial"})


def _pids(name: str, pid: int) -> set[int]:
    """Return a machine's QEMU and the servers of its shared folders; nothing once QEMU has ended."""
    found = process.family(pid)
    return found | disks.helpers(name) if found else found
