"""Virtual machines through the lab's own libvirtd: a QEMU with the payload in it, made and ended by libvirt's API."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import libvirt

from bench.core import proc
from bench.core.errors import NotApplicable, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import given as _given
from bench.engines import trial as _trial
from bench.engines.base import Bind, Instance, InstanceSpec, NetworkPath, refuse_limits
from bench.engines.evidence import process
from bench.engines.libvirt import daemon, guests, modules
from bench.engines.libvirt import disk as _domain_disk
from bench.engines.libvirt import domain as _domain
from bench.engines.libvirt import network as _domain_network
from bench.lab import Lab, network

_CLEANUP_S = 30.0
_REMEDY = "run 'tare provision libvirt' as root"


class Libvirt:
    """Transient machines: defined, started and gone again, as nothing of them is to outlive a run."""

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "stream"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._facts: Facts | None = None
        self._network = target.options.get("network", "none")
        self._disk = target.options.get("disk", "none")
        self._addresses = _domain_network.Addresses(self._network)

    def prepare(self) -> Facts:
        """Choose the accelerator, make the guest, start libvirtd, and prove by a minimal guest that all works."""
        if self._facts is None:
            self._facts = self._prepare()
        return self._facts

    def _prepare(self) -> Facts:
        _ = self._lab.daemons  # without root there is nobody to start libvirtd
        self._qemu_img = proc.find("qemu-img", _REMEDY)
        verdict = guests.accelerator(self._lab)
        accel = self.target.options.get("accel", verdict.name)
        if accel == "kvm" and verdict.name != "kvm":
            raise TargetUnavailable(f"KVM cannot run a guest here: {verdict.why}", "use accel=tcg, or a host with KVM")
        machine = self.target.options.get("machine", "q35")
        self._machine = _domain.Machine(accel, machine, guests.qemu())
        self._settle(accel)
        self._connection = _domain.connect(self._lab)
        state = self._lab.paths.state
        self._guest = guests.minimal(state, self._kernel())
        self._plug_in()
        with self._trial_data() as binds:
            _trial.run(self, self._lab, binds)
        if self.target.options["guest"] == "full":
            self._guest = guests.full(state)
        return self._read_facts(verdict)

    def create(self, spec: InstanceSpec) -> Instance:
        """Make the disk's writable layer, if there is a disk, and a machine that waits before its first instruction."""
        refuse_limits(self.target, spec)
        storage = _domain_disk.of(spec, self._disk, self._lab.paths.state)
        folders = _domain.folders(storage.rest) | self._modules
        guest = guests.with_folders(self._guest, folders, _domain.memory_bytes(spec))
        self._lab.journal.add("domain", name=spec.name)
        home = self._home(spec.name)
        home.mkdir()
        definition = _domain.domain_xml(spec, guest, self._machine, home, card=self._card(spec.name), storage=storage)
        storage.make(self._qemu_img, spec.timeout_s)
        if guest.disk is not None:
            _domain_disk.make_overlay(self._qemu_img, guest.disk, home / _domain.DISK, spec.timeout_s)
        with _domain.limited(spec.name, spec.timeout_s):
            flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
            domain = self._connection.createXML(definition, flags)
        pid = _domain.pid_of(spec.name)
        handle = {"domain": domain, "guest": guest, "pid": pid, "timeout_s": spec.timeout_s}
        console, log = home / _domain.CONSOLE, daemon.log_of(self._lab, spec.name)
        return Instance(spec.name, lambda: _pids(spec.name, pid), lambda: _domain.ended(pid, console, log), handle)

    def start(self, instance: Instance) -> None:
        """Let the machine run; returns when QEMU has started its processors."""
        with _domain.limited(instance.name, instance.handle["timeout_s"]):
            instance.handle["domain"].resume()

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Ask the machine's QEMU what it is, and read the digests of what it runs.

        The payload is proved by the file that the machine was booted from: the initramfs that holds it, or the disk
        from which it was read back when it was put there.
        """
        with _domain.limited(instance.name, _CLEANUP_S):
            found = _domain.live_facts(instance.handle["domain"], instance.handle["guest"])
            found |= _domain_disk.live_facts(instance.handle["domain"])
            found |= _domain_network.live_facts(instance.handle["domain"], instance.handle["pid"], self._lab)
        program = Path(f"/proc/{instance.handle['pid']}/exe")
        return found | {"qemu_digest": process.digest(program), "payload": self._guest.digests["payload"]}

    def stop(self, instance: Instance) -> None:
        """Have libvirt end QEMU: SIGTERM, after 10 s SIGKILL; it looks only every 200 ms whether that is gone."""
        with _domain.limited(instance.name, _CLEANUP_S):
            _domain.destroy(self._connection, instance.name)

    def delete(self, name: str) -> None:
        """End the machine if it still runs and remove its disk and logs; succeeds when there is none."""
        home = self._home(name)
        try:
            with _domain.limited(name, _CLEANUP_S):
                _domain.destroy(self._connection, name)
        finally:
            shutil.rmtree(home, ignore_errors=True)
            daemon.log_of(self._lab, name).unlink(missing_ok=True)
            self._addresses.give_back(name)

    def way(self, instance: Instance | None) -> NetworkPath:
        """Return the way to the second host, by which every machine with a card calls."""
        if self._network not in _domain_network.KINDS:
            msg = f"'{self.target.text}' has no network; use network={', '.join(_domain_network.KINDS)}"
            raise NotApplicable(msg)
        return NetworkPath("peer", network.PEER_ADDRESS)

    def _home(self, name: str) -> Path:
        return self._lab.paths.run / "b" / name

    def _kernel(self) -> Path | None:
        """Return the kernel that ``kernel`` names: one for a minimal guest without devices, since its modules are nobody's."""
        given = _given.file(self.target, "kernel")
        if given is None:
            return None
        if self.target.options["guest"] == "full":
            raise TargetUnavailable("the full guest's modules are those of its own kernel", "use guest=minimal,kernel=")
        for option, kinds in (("network", _domain_network.KINDS), ("disk", _domain_disk.KINDS)):
            if self.target.options.get(option) in kinds:
                reason = (
                    f"'{self.target.text}': a card or a disk takes modules, and there are none of the kernel '{given}'"
                )
                raise TargetUnavailable(reason, f"leave out {option}, or kernel")
        return given

    def _plug_in(self) -> None:
        """Make the network of the machines and find the drivers of their cards."""
        self._modules: dict[str, Path] = {}
        names = _domain_disk.MODULES * (self._disk in _domain_disk.KINDS)
        names += _domain_network.MODULES * (self._network in _domain_network.KINDS)
        if names:
            self._modules = {modules.NAME: modules.folder(self._lab.paths.state, names).path}
        if self._network not in _domain_network.KINDS:
            return
        if self.target.options["guest"] == "full":
            reason = "the full guest's own system sets its network up, and nobody has told it how"
            raise TargetUnavailable(reason, f"use guest=minimal,network={self._network}")
        _domain_network.set_up(self._lab, self._network)

    @contextlib.contextmanager
    def _trial_data(self) -> Iterator[tuple[Bind, ...]]:
        """Give the trial a place for data where the machines have one; what it leaves there is removed."""
        if self._disk not in _domain_disk.KINDS:
            yield ()
            return
        if self.target.options["guest"] == "full":
            reason = (
                "the full guest boots from its own disk and takes no folder of the host, so nothing in it could measure"
            )
            raise TargetUnavailable(reason, f"use guest=minimal,disk={self._disk}")
        folder = self._lab.paths.run / "trial-data"
        try:
            yield _domain_disk.trial(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _card(self, name: str) -> _domain_network.Card | None:
        """Return a machine's card, ``None`` where machines have none."""
        if self._network not in _domain_network.KINDS:
            return None
        return _domain_network.Card(self._network, self._addresses.take(name))

    def _settle(self, accel: str) -> None:
        """Put every choice into the target, so that the label on each number is complete."""
        options = {"guest": "minimal", **self.target.options, "accel": accel}
        text = ",".join(f"{key}={options[key]}" for key in sorted(options))
        self.target = replace(self.target, text=f"{self.target.engine}:{text}", options=options)

    def _read_facts(self, verdict: guests.Accelerator) -> Facts:
        with _domain.limited("", _CLEANUP_S):
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
    """Return a machine's QEMU and what serves its shared folders; nothing once QEMU is gone."""
    found = process.family(pid)
    return found | _domain_disk.helpers(name) if found else found
