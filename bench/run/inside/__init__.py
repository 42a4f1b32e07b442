"""Measure a whole run inside a virtual machine with a distribution's full kernel, for features that this host's kernel lacks.

The machine mounts this host's file tree read-only below a writable overlay, so it runs the same Tare, engines and tools with
another kernel. Everything is measured in the guest, by the guest's clock: the guest is the "host" of the run, which ``inside``
in ``run.json`` records. Results are written to a shared folder as they are taken (docs/in-a-guest.md).
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import store
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError, TareError, TargetUnavailable
from bench.core.model import RunState, Target
from bench.engines.libvirt import guests
from bench.lab import Lab
from bench.run import facts, session
from bench.run.inside import kernel, machine, wire

_BOOT_S = 60.0
_QUIET_S = 60.0
"""Longest time without an event, in addition to the longest invocation: the guest may be preparing engines."""
_OFF_S = 15.0
_LOOK_S = 0.1


class GuestError(TareError):
    """Tare failed in the guest; ``exit_code`` is the one it had there."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def run(request: session.RunRequest, where: Target, observer: session.RunObserver) -> session.RunResult:
    """Measure a request in the guest ``where`` and return how the run ended; its folder is moved to the request's results.

    Raises:
        UsageError: The target cannot hold a run.
        TargetUnavailable: The guest cannot run on this host, or an explicit target cannot run in the guest.
        GuestError: Tare failed in the guest.
        LabError: The guest ended unexpectedly or hung; results so far are kept.
    """
    machine.check(where)
    with session.open_lab(session.make_id(), request.results) as (lab, _):
        observer.preparing(where.text)
        guest_machine, found = _look(lab, where)
        _, exchange = machine.folders(lab)
        wire.write_request(exchange, _guest_request(request, guest_machine, found))
        guest = machine.start(lab, found, guest_machine)
        try:
            return _follow(guest, guest_machine, request, observer)
        finally:
            machine.stop(lab, guest.name)


def _look(lab: Lab, where: Target) -> tuple[machine.GuestMachine, kernel.Kernel]:
    """Return the machine and the kernel to use on this host."""
    _ = lab.daemons  # raises early without root, which libvirtd needs
    verdict = guests.accelerator(lab)
    accel = where.options.get("accel", verdict.name)
    if accel == "kvm" and verdict.name != "kvm":
        raise TargetUnavailable(f"KVM cannot run a guest here: {verdict.why}", "use accel=tcg, or a host with KVM")
    return machine.GuestMachine(accel, where.options.get("machine", "q35")), kernel.load(lab.host_paths.state)


def _guest_request(
    request: session.RunRequest, guest_machine: machine.GuestMachine, found: kernel.Kernel
) -> session.RunRequest:
    """Return the request for the guest: with longer time limits, and facts of the host as surroundings."""
    outside = facts.host().values
    around = {f"outer.{name}": outside[name] for name in ("host", "kernel", "os", "cpu.model") if name in outside}
    around |= {"inside": guest_machine.text, "guest.initrd": found.digests["initrd"][:16]}
    around |= {"guest.zfs": found.zfs.version} if found.zfs else {}
    scenarios = [
        dataclasses.replace(scenario, timeout_s=scenario.timeout_s * guest_machine.patience)
        for scenario in request.scenarios
    ]
    tags = {**request.tags, "inside": guest_machine.text}
    return dataclasses.replace(request, scenarios=scenarios, tags=tags, surroundings=around)


def _follow(
    guest: machine.Running,
    guest_machine: machine.GuestMachine,
    request: session.RunRequest,
    observer: session.RunObserver,
) -> session.RunResult:
    """Forward the guest's events until the run ends, then move its results to this host's results folder."""
    longest = max(scenario.timeout_s for scenario in request.scenarios)
    progress = _Progress()
    try:
        _listen(
            guest, progress, observer, guest_machine.patience * _BOOT_S, guest_machine.patience * (longest + _QUIET_S)
        )
    except KeyboardInterrupt as stop:
        folder = _bring(guest.exchange, request.results, RunState.INTERRUPTED)
        if folder is None:
            raise
        return session.RunResult(folder.name, folder, progress.failed, progress.measured, str(stop) or "Ctrl-C")
    except LabError as error:
        folder = _bring(guest.exchange, request.results, RunState.INTERRUPTED)
        kept = f"; what was measured is in {folder}" if folder else ""
        raise LabError(f"{error}{kept}") from error
    folder = _bring(guest.exchange, request.results, None)
    if (said := progress.last).get("kind") == "error":
        if said["remedy"] is not None:
            raise TargetUnavailable(f"in the guest: {said['text']}", said["remedy"])
        raise GuestError(f"in the guest: {said['text']}", said["exit_code"])
    assert folder is not None  # noqa: S101 - for the type checker: a run that ended has a folder
    return session.RunResult(folder.name, folder, progress.failed, progress.measured)


@dataclasses.dataclass
class _Progress:
    """Events of the guest so far: counts of outcomes, and the last event."""

    measured: int = 0
    failed: int = 0
    last: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _listen(
    guest: machine.Running, progress: _Progress, observer: session.RunObserver, boot_s: float, quiet_s: float
) -> None:
    reader = wire.EventReader(guest.exchange)
    deadline, limit = now_s() + boot_s, boot_s
    while True:
        over = guest.ended()  # checked first, so that events sent before the end are read below
        for event in reader.new():
            deadline, limit = now_s() + quiet_s, quiet_s
            progress.last = event
            if event["kind"] == "outcome":
                progress.measured += 1
                progress.failed += event["outcome"]["status"] in ("failed", "timeout")
            wire.forward(event, observer)
        if progress.last.get("kind") in ("end", "error"):
            return _wait_off(guest)
        if over or now_s() > deadline:
            how = f"ended by itself: {over}" if over else f"said nothing for {limit:g} s"
            msg = f"the guest {how}; see what it says, or measure less at once"
            raise LabError(msg)
        sleep_s(_LOOK_S)


def _wait_off(guest: machine.Running) -> None:
    """Give the guest time to write its files and to power off."""
    deadline = now_s() + _OFF_S
    while guest.ended() is None and now_s() < deadline:
        sleep_s(_LOOK_S)


def _bring(exchange: Path, results: Path, state: RunState | None) -> Path | None:
    """Move the run's folder to the results and return it; ``None`` when the guest has not created one."""
    made = next((path.parent for path in (exchange / wire.RESULTS).glob("*/run.json")), None)
    if made is None:
        return None
    results.mkdir(parents=True, exist_ok=True)
    folder = Path(shutil.move(made, results / made.name))
    if state is not None:
        store.RunWriter.reopen(store.load(folder)).update(state=state)
    return folder
