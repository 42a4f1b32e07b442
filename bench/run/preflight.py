"""Try what can run on this host and say why the rest cannot. Reports; never tunes."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import engines
from bench.core.clock import EventHub
from bench.core.errors import EvidenceMismatch, TareError, TargetUnavailable
from bench.core.model import Facts, Target
from bench.engines.base import Bind, Engine, InstanceSpec
from bench.engines.life import Life, deleted
from bench.invocation import life, mounts
from bench.lab import Lab
from bench.run.facts import host


@dataclass(frozen=True)
class Prepared:
    """The outcome of preparing targets, by the target's text as it was requested.

    Attributes:
        engines: Engines that are ready to measure.
        facts: Facts of these engines; the epoch's are those whose change makes a target's numbers incomparable.
        missing: Why other targets are unavailable, with the remedy.
    """

    engines: Mapping[str, Engine] = field(default_factory=dict)
    facts: Mapping[str, Facts] = field(default_factory=dict)
    missing: Mapping[str, TargetUnavailable] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One line of ``tare doctor``.

    Attributes:
        name: Target or check.
        ok: Whether the target works, or whether the check found what a quiet host has.
        says: What was observed.
        remedy: What would make it work; empty when there is nothing to do.
    """

    name: str
    ok: bool
    says: str
    remedy: str = ""


def prepare(targets: Iterable[Target], lab: Lab) -> Prepared:
    """Load and prepare the engine of each target: import images, build disks, start daemons."""
    ready: dict[str, Engine] = {}
    facts: dict[str, Facts] = {}
    missing: dict[str, TargetUnavailable] = {}
    for target in targets:
        if target.text in ready or target.text in missing:
            continue
        try:
            with _unexpected_errors(target):
                engine = engines.load(target, lab)
                facts[target.text] = engine.prepare()
                ready[target.text] = engine
        except TargetUnavailable as error:
            missing[target.text] = error
        except (TareError, OSError) as error:
            missing[target.text] = TargetUnavailable(str(error), "see the reason; 'tare doctor' tries again")
    return Prepared(ready, facts, missing)


@contextlib.contextmanager
def _unexpected_errors(target: Target) -> Iterator[None]:
    """Turn unexpected exceptions of an engine into :class:`TargetUnavailable`: only the targets of that engine are left out."""
    try:
        yield
    except (TareError, OSError):
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        msg = f"the engine '{target.engine}' failed unexpectedly: {type(error).__name__}: {error} ({where})"
        ours = target.engine in engines.built_in()
        remedy = "a fault in Tare: report it with this line" if ours else "report it to the authors of that plug-in"
        raise TargetUnavailable(msg, remedy) from error


@contextlib.contextmanager
def _data(engine: Engine, lab: Lab, name: str) -> Iterator[tuple[Bind, ...]]:
    """Yield the data that an instance needs to show how it keeps them, for a target that chooses it."""
    chosen = [engine.target.options.get(option, "none") for option in ("mount", "disk")]
    if engine.kind == "process" or chosen == ["none", "none"]:
        yield ()
        return
    with mounts.data_of(engine, lab, name) as found:
        yield (found.bind,)


def trial(engine: Engine, lab: Lab, hub: EventHub, number: int, timeout_s: float) -> Verdict:
    """Start one instance, wait until it is ready, read its evidence and remove it."""
    name = f"tare-{lab.short_id}-doctor-{number}"
    text = engine.target.text
    socket = lab.paths.run / "e" / f"d{number}"
    try:
        with (
            _unexpected_errors(engine.target),
            _data(engine, lab, name) as binds,
            hub.channel(socket, engine.channel) as channel,
            deleted(engine, name),
        ):
            spec = InstanceSpec(name, socket, timeout_s=timeout_s, binds=binds)
            instance = Life(engine, spec, channel, timeout_s).run()
            evidence = engine.evidence(instance)
            life.prove(engine, lab, evidence)
            engine.stop(instance)
    except EvidenceMismatch as error:
        return Verdict(text, ok=False, says=str(error), remedy=_remedy(engine.target, error))
    except TargetUnavailable as error:
        return Verdict(text, ok=False, says=error.reason, remedy=error.remedy)
    except TareError as error:
        return Verdict(
            text, ok=False, says=str(error), remedy="read the reason; the engine is installed but does not work here"
        )
    shown = [
        f"{key} {evidence[key][:40]}"
        for key in ("runtime", "accel", "network", "storage", "snapshotter")
        if key in evidence
    ]
    return Verdict(text, ok=True, says="; ".join(["started, ready, stopped, deleted", *shown]))


def _remedy(target: Target, error: EvidenceMismatch) -> str:
    """Return what to do about a live instance that is not what was asked for."""
    if error.option not in target.options:
        return "report it to the authors of that engine"
    return f"ask for {error.option}={error.found}, or leave it out" if error.found else f"leave out {error.option}"


def examine(target: Target, lab: Lab, hub: EventHub, number: int, timeout_s: float = 120.0) -> Verdict:
    """Try one target: prepare it, start one instance until it is ready, remove it."""
    prepared = prepare([target], lab)
    if error := prepared.missing.get(target.text):
        return Verdict(target.text, ok=False, says=error.reason, remedy=error.remedy)
    return trial(prepared.engines[target.text], lab, hub, number, timeout_s)


def noise() -> list[Verdict]:
    """Check this host for sources of noise; each check says what it observed and what helps."""
    facts = host().values
    checks = [_governor(facts), _load(), _steal(), _swap(facts), _ksm(facts), _virtual(facts), _pressure()]
    return [check for check in checks if check is not None]


def stamps(instrument: Mapping[str, str]) -> Verdict:
    """Check what stamps events (:attr:`bench.core.clock.EventHub.instrument`)."""
    language, scheduling = instrument["stamp"], instrument["scheduling"]
    remedies = {
        "install a C compiler: a stamp taken in Python waits for the interpreter": language != "c",
        "run as root: on a busy host a thread of the normal scheduling class stamps late": scheduling == "SCHED_OTHER",
    }
    remedy = "; ".join(text for text, needed in remedies.items() if needed)
    said = f"taken in {'C' if language == 'c' else 'Python'} by a thread of class {scheduling}"
    return Verdict("stamps", ok=not remedy, says=said, remedy=remedy)


def _governor(facts: Mapping[str, str]) -> Verdict | None:
    governor = facts.get("cpu.governor")
    if governor is None:
        return Verdict("frequency", ok=True, says="the kernel does not scale the CPU's frequency here")
    remedy = "" if governor == "performance" else "cpupower frequency-set -g performance (and set it back afterwards)"
    return Verdict("frequency", ok=not remedy, says=f"governor {governor}", remedy=remedy)


def _load() -> Verdict | None:
    fields = _read("/proc/loadavg").split()
    if not fields:
        return None
    one = float(fields[0])
    limit = 0.5 * int(host().values.get("cpu.usable", "1"))
    remedy = "" if one < limit else "wait until the host is idle, or stop other programs"
    return Verdict(
        "load",
        ok=one < limit,
        says=f"{one:.2f} runnable processes on average over a minute; the limit is {limit:g}",
        remedy=remedy,
    )


def _steal() -> Verdict | None:
    fields = [int(value) for value in _read("/proc/stat").partition("\n")[0].split()[1:]]
    if len(fields) < 8:
        return None
    share = fields[7] / max(1, sum(fields[:8]))
    remedy = (
        "" if share < 0.005 else "this is a virtual machine that shares its CPUs: prefer bare metal, or use more blocks"
    )
    return Verdict(
        "steal",
        ok=share < 0.005,
        says=f"{100 * share:.2f} % of CPU time since boot went to other guests",
        remedy=remedy,
    )


def _swap(facts: Mapping[str, str]) -> Verdict:
    size = facts.get("memory.swap", "0 kB")
    used = size.split()[0] != "0"
    return Verdict(
        "swap", ok=not used, says=f"{size} of swap", remedy="swapoff -a during memory measurements" if used else ""
    )


def _ksm(facts: Mapping[str, str]) -> Verdict | None:
    if "memory.ksm" not in facts:
        return None
    on = facts["memory.ksm"] == "1"
    return Verdict(
        "page merging",
        ok=not on,
        says=f"KSM is {'on' if on else 'off'}",
        remedy="echo 0 > /sys/kernel/mm/ksm/run" if on else "",
    )


def _virtual(facts: Mapping[str, str]) -> Verdict:
    where = facts.get("hypervisor", "unknown")
    bare = where == "none"
    remedy = (
        "" if bare else "ratios between targets hold roughly, those of virtual machines do not: measure on bare metal"
    )
    says = {"none": "yes", "unknown": "unknown whether there is a hypervisor"}
    return Verdict("bare metal", ok=bare, says=says.get(where, f"no, under a hypervisor ({where})"), remedy=remedy)


def _pressure() -> Verdict | None:
    found = re.search(r"avg10=([\d.]+)", _read("/proc/pressure/cpu"))
    if found is None:
        return None
    some = float(found[1])
    remedy = "" if some < 5 else "another program is using the CPU right now"
    return Verdict(
        "CPU pressure",
        ok=some < 5,
        says=f"a process was waiting for a CPU in {some:g} % of the last 10 s",
        remedy=remedy,
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
