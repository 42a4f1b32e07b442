"""A whole run inside a virtual machine with a distribution's full kernel, for what this host's kernel lacks.

The machine sees this host's files read-only under a layer of its own, so it runs this very Tare, these very engines and
tools, and only the kernel is another. Everything in it is measured there, by one clock, the guest's: the run's "host" is the
guest, and says so (``inside`` in ``run.json``). Its results come back as they are appended (docs/in-a-guest.md).
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
"""How long the guest may say nothing beyond the longest invocation: engines are prepared meanwhile."""
_OFF_S = 15.0
_LOOK_S = 0.1


class GuestError(TareError):
    """The Tare in the guest gave up; the exit code is the one that it would have had here."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def run(order: session.Order, where: Target, watcher: session.Watcher) -> session.Result:
    """Measure what the order says in a guest and return how it ended, its folder being in the order's results.

    Raises:
        UsageError: A run cannot be put into that target.
        TargetUnavailable: The guest cannot be made here, or a target that the user named cannot run in it.
        GuestError: The Tare in the guest gave up.
        LabError: The guest ended by itself or hung; what was measured is kept.
    """
    machine.check(where)
    with session.open_lab(session.make_id(), order.results) as (lab, _):
        watcher.preparing(where.text)
        guest_machine, found = _look(lab, where)
        _, exchange = machine.folders(lab)
        wire.write_order(exchange, _told(order, guest_machine, found))
        guest = machine.start(lab, found, guest_machine)
        try:
            return _follow(guest, guest_machine, order, watcher)
        finally:
            machine.stop(lab, guest.name)


def _look(lab: Lab, where: Target) -> tuple[machine.GuestMachine, kernel.Kernel]:
    """Find out what there is to run a guest with."""
    _ = lab.daemons  # without root there is nobody to start libvirtd
    verdict = guests.accelerator(lab)
    accel = where.options.get("accel", verdict.name)
    if accel == "kvm" and verdict.name != "kvm":
        raise TargetUnavailable(f"KVM cannot run a guest here: {verdict.why}", "use accel=tcg, or a host with KVM")
    return machine.GuestMachine(accel, where.options.get("machine", "q35")), kernel.load(lab.paths.state)


def _told(order: session.Order, guest_machine: machine.GuestMachine, found: kernel.Kernel) -> session.Order:
    """Return the order as the guest gets it: more time for everything, and what is around it."""
    outside = facts.host().values
    around = {f"outer.{name}": outside[name] for name in ("host", "kernel", "os", "cpu.model") if name in outside}
    around |= {"inside": guest_machine.text, "guest.initrd": found.digests["initrd"][:16]}
    scenarios = [
        dataclasses.replace(scenario, timeout_s=scenario.timeout_s * guest_machine.patience)
        for scenario in order.scenarios
    ]
    tags = {**order.tags, "inside": guest_machine.text}
    return dataclasses.replace(order, scenarios=scenarios, tags=tags, surroundings=around)


def _follow(
    guest: machine.Running, guest_machine: machine.GuestMachine, order: session.Order, watcher: session.Watcher
) -> session.Result:
    """Pass on what the guest says until it says how it ended, then bring its results here."""
    longest = max(scenario.timeout_s for scenario in order.scenarios)
    seen = _Seen()
    try:
        _listen(guest, seen, watcher, guest_machine.patience * _BOOT_S, guest_machine.patience * (longest + _QUIET_S))
    except KeyboardInterrupt as stop:
        folder = _bring(guest.exchange, order.results, RunState.INTERRUPTED)
        if folder is None:
            raise
        return session.Result(folder.name, folder, seen.failed, seen.measured, str(stop) or "Ctrl-C")
    except LabError as error:
        folder = _bring(guest.exchange, order.results, RunState.INTERRUPTED)
        kept = f"; what was measured is in {folder}" if folder else ""
        raise LabError(f"{error}{kept}") from error
    folder = _bring(guest.exchange, order.results, None)
    if (said := seen.last).get("kind") == "error":
        if said["remedy"] is not None:
            raise TargetUnavailable(f"in the guest: {said['text']}", said["remedy"])
        raise GuestError(f"in the guest: {said['text']}", said["exit_code"])
    assert folder is not None  # noqa: S101 - for the type checker: a run that ended has a folder
    return session.Result(folder.name, folder, seen.failed, seen.measured)


@dataclasses.dataclass
class _Seen:
    """What the guest has said so far."""

    measured: int = 0
    failed: int = 0
    last: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _listen(guest: machine.Running, seen: _Seen, watcher: session.Watcher, boot_s: float, quiet_s: float) -> None:
    reader = wire.Reader(guest.exchange)
    deadline, limit = now_s() + boot_s, boot_s
    while True:
        over = guest.ended()  # asked first: what it said before it ended is read after
        for event in reader.new():
            deadline, limit = now_s() + quiet_s, quiet_s
            seen.last = event
            if event["kind"] == "outcome":
                seen.measured += 1
                seen.failed += event["outcome"]["status"] in ("failed", "timeout")
            wire.pass_on(event, watcher)
        if seen.last.get("kind") in ("end", "error"):
            return _wait_off(guest)
        if over or now_s() > deadline:
            how = f"ended by itself: {over}" if over else f"said nothing for {limit:g} s"
            msg = f"the guest {how}; see what it says, or measure less at once"
            raise LabError(msg)
        sleep_s(_LOOK_S)


def _wait_off(guest: machine.Running) -> None:
    """Give the guest the time to write everything and to switch itself off."""
    deadline = now_s() + _OFF_S
    while guest.ended() is None and now_s() < deadline:
        sleep_s(_LOOK_S)


def _bring(exchange: Path, results: Path, state: RunState | None) -> Path | None:
    """Move the run's folder to the results and return it; ``None`` when the guest had made none yet."""
    made = next((path.parent for path in (exchange / wire.RESULTS).glob("*/run.json")), None)
    if made is None:
        return None
    results.mkdir(parents=True, exist_ok=True)
    folder = Path(shutil.move(made, results / made.name))
    if state is not None:
        store.RunWriter.reopen(store.load(folder)).update(state=state)
    return folder
