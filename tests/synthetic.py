"""Generator of a realistic startup run on disk; nothing is started.

The numbers are drawn from one seeded generator, so that the same arguments give the same bytes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core.model import Invocation, Measurement, Outcome, RunState, Status
from bench.store import RunWriter
from tests.kinds import kind_of
from tests.unsynced import unsynced

MS = 1e-3
RUN_ID = "20261101T081500Z-bench-01-5eed"
SENTINEL_S = 40 * MS


@dataclass(frozen=True)
class Shape:
    """The measurements of one target: median times from the request, spread and evidence.

    Attributes:
        phases: Phase → median seconds from the request; the order of the times is the order of the events.
        sigma: Standard deviation of the logarithm of the times.
        cpu: CPU seconds spent per second until ready.
        stop: Median seconds of a stop.
        evidence: What the engine reads back.
    """

    phases: Mapping[str, float]
    sigma: float
    cpu: float
    stop: float
    evidence: Mapping[str, str] = field(default_factory=dict)


def _phases(created: float | None, started: float, first: float, ready: float) -> dict[str, float]:
    times = {"created": created, "started": started, "first_instruction": first, "ready": ready}
    return {name: value * MS for name, value in times.items() if value is not None}


_RUNC = {"runtime": "runc 1.1.5", "runtime_digest": "9f2b6c1d" * 8, "network": "none"}
_CRUN = {"runtime": "crun 1.8.1", "runtime_digest": "41d0a7e3" * 8, "network": "none"}
_DOCKER = {**_RUNC, "storage": "overlay2", "daemon": "dockerd 20.10.24"}
_VM = {"accelerator": "tcg", "machine": "pc-q35-7.2", "vcpus": "1"}

SHAPES: Mapping[str, Shape] = {
    "host": Shape(_phases(None, 0.31, 0.48, 0.6), 0.10, 0.9, 0.2 * MS, {"namespaces": "host"}),
    "sandbox": Shape(_phases(1.7, 2.3, 2.8, 3.0), 0.09, 0.8, 1.1 * MS, {"namespaces": "mnt,pid,net,uts,ipc"}),
    "runc": Shape(_phases(37, 52, 58.5, 60), 0.06, 0.62, 14 * MS, _RUNC),
    "crun": Shape(_phases(22, 29, 33.8, 35), 0.06, 0.66, 12 * MS, _CRUN),
    "containerd": Shape(_phases(38, 101, 108, 110), 0.05, 0.5, 31 * MS, {**_RUNC, "snapshotter": "overlayfs"}),
    # Docker's start call returns after the payload has run: its `started` is later than its `first_instruction`.
    "docker:network=none": Shape(_phases(92, 261, 243, 250), 0.05, 0.44, 120 * MS, _DOCKER),
    "docker": Shape(_phases(94, 343, 322, 330), 0.05, 0.47, 210 * MS, {**_DOCKER, "network": "bridge"}),
    "libvirt:accel=tcg,guest=minimal": Shape(
        _phases(210, 760, 3300, 3800), 0.02, 1.04, 420 * MS, {**_VM, "guest": "minimal"}
    ),
    "libvirt:accel=tcg,guest=full": Shape(
        _phases(230, 810, 21500, 25000), 0.02, 1.22, 2100 * MS, {**_VM, "guest": "full"}
    ),
}

_LATE = "no 'ready' within 60 s; the console ended at 'random: crng init done'"

FAILURES: Mapping[tuple[str, int], tuple[Status, str]] = {
    ("docker", 4): (Status.FAILED, "the daemon answered 500: failed to create endpoint on network bridge"),
    ("libvirt:accel=tcg,guest=full", 6): (Status.TIMEOUT, _LATE),
    ("libvirt:accel=tcg,guest=full", 7): (Status.TIMEOUT, _LATE),
}
"""(target, block) → status and reason of invocations that did not end with ``ok``."""

FLAGS: Mapping[tuple[str, int], tuple[str, ...]] = {("crun", 3): ("residue: 1 network namespace left after 2 s",)}

FACTS: Mapping[str, str] = {
    "kernel": "6.1.0-18-amd64",
    "cpu": "AMD EPYC 7313P 16-Core Processor",
    "cpus": "32",
    "smt": "on",
    "governor": "performance",
    "turbo": "off",
    "mitigations": "spectre_v2: Retpolines; IBPB: conditional; STIBP: always-on; RSB filling",
    "microcode": "0xa0011d1",
    "memory": "128 GiB",
    "cgroup": "v2, systemd",
    "filesystem": "ext4 rw,relatime",
    "virtualization": "none",
    "numa": "1 node",
    "distribution": "Debian GNU/Linux 12 (bookworm)",
}
_EPOCH = ("kernel", "microcode", "mitigations", "governor", "turbo", "smt", "cgroup", "filesystem", "numa", "memory")


def _scenario(targets: Sequence[str], blocks: int, warmups: int) -> dict[str, object]:
    return {
        "title": "From request to ready",
        "description": "How long a payload takes from the request until it says that it is ready.",
        "procedure": "startup",
        "targets": list(targets),
        "baseline": "host",
        "primary": ["startup.ready_s"],
        "params": {},
        "blocks": blocks,
        "warmup_blocks": warmups,
        "timeout_s": 60.0,
        "digest": "c0ffee" * 10 + "0000",
        "path": "scenarios/startup.yaml",
    }


def _meta(run_id: str, seed: int, scenario: Mapping[str, object], host: str) -> dict[str, object]:
    missing = "runsc is not installed: there is no 'runsc' on PATH"
    return {
        "run_id": run_id,
        "tare_version": "0.1.0",
        "command": ["run", "startup"],
        "seed": seed,
        "host": host,
        "started_at": "2026-11-01T08:15:00Z",
        "finished_at": "2026-11-01T08:24:41Z",
        "started_mono_s": 1000.0,
        "tags": {"purpose": "demonstration"},
        "scenarios": {"startup": scenario},
        "skipped": [
            {"scenario": "startup", "target": "runsc", "reason": missing, "remedy": "tare provision runsc"},
        ],
        "facts": dict(FACTS),
        "instrument": {"stamp": "c", "scheduling": "SCHED_FIFO"},
        "fingerprint": "7d1f0c52a9b4",
        "epoch": list(_EPOCH),
        "engines": {
            "runc": {"version": "1.1.5", "digest": "9f2b6c1d" * 8},
            "docker": {"version": "20.10.24", "storage_driver": "overlay2"},
        },
        "harness": {"wall_s": 581.2, "engine_s": 402.7, "barrier_s": 171.9, "harness_s": 6.6},
    }


def plan(names: Sequence[str], blocks: int, warmups: int, rng: random.Random) -> list[Invocation]:
    """Return the invocations in seeded blocks, each name once a block, warm-ups first."""
    made: list[Invocation] = []
    for block in range(warmups + blocks):
        for order, name in enumerate(rng.sample(list(names), len(names))):
            made.append(Invocation(len(made), "startup", name, {}, block, order, block < warmups))
    return made


@dataclass
class Draw:
    """Draws the values of one invocation at a time.

    Attributes:
        rng: The run's generator.
        shapes: Target → shape.
        drift: Factor by which everything is slower in the last block than in the first.
        blocks: All blocks of the run.
    """

    rng: random.Random
    shapes: Mapping[str, Shape]
    drift: float
    blocks: int

    def values(self, item: Invocation) -> dict[str, float]:
        """Return the values of one invocation by metric."""
        drifted = self.drift ** (item.block / max(1, self.blocks - 1))
        if item.target == "sentinel":
            return {"sentinel.work_s": SENTINEL_S * drifted * self._noise(0.006)}
        slower = drifted * (1.6 if item.warmup else 1.0)
        shape = self.shapes["host" if item.target == "null" else item.target]
        values = {f"startup.{name}_s": value * slower for name, value in self._path(shape)}
        values["startup.cpu_s"] = values["startup.ready_s"] * shape.cpu * self._noise(0.03)
        values["startup.stop_s"] = shape.stop * slower * self._noise(0.1)
        values["startup.delete_s"] = shape.stop * 0.4 * slower * self._noise(0.1)
        return values

    def _path(self, shape: Shape) -> Iterator[tuple[str, float]]:
        """Yield phases and times; the steps between them have a common and an individual random factor."""
        common, now, last = self._noise(shape.sigma), 0.0, 0.0
        for name, median in sorted(shape.phases.items(), key=lambda item: item[1]):
            now += (median - last) * common * self._noise(shape.sigma / 2)
            last = median
            yield name, now

    def _noise(self, sigma: float) -> float:
        return math.exp(self.rng.gauss(0.0, sigma))


@unsynced()
def write_run(
    folder: Path,
    seed: int = 7,
    *,
    targets: Sequence[str] = tuple(SHAPES),
    controls: Sequence[str] = ("null", "sentinel"),
    blocks: int = 8,
    warmups: int = 1,
    failures: Mapping[tuple[str, int], tuple[Status, str]] = FAILURES,
    drift: float = 1.0,
    evidence: Mapping[tuple[str, int], Mapping[str, str]] | None = None,
    run_id: str = RUN_ID,
    host: str = "bench-01",
    shapes: Mapping[str, Shape] = SHAPES,
    state: RunState = RunState.COMPLETE,
) -> Path:
    """Write a whole startup run into ``folder`` and return its path.

    ``failures`` and ``evidence`` are keyed by target and block; ``drift`` is the factor between first and last block;
    warm-ups are 60 % slower; without blocks and warm-ups the run is empty.
    """
    rng = random.Random(seed)  # noqa: S311 - noise, not a secret
    invocations = plan([*targets, *controls], blocks, warmups, rng)
    meta = _meta(run_id, seed, _scenario(targets, blocks, warmups), host)
    writer = RunWriter.create(folder, meta, invocations)
    draw, at_s = Draw(rng, shapes, drift, blocks + warmups), 2.0
    for item in invocations:
        values = draw.values(item)
        status, reason = failures.get((item.target, item.block), (Status.OK, ""))
        proof = (evidence or {}).get((item.target, item.block), _proof(shapes, item))
        outcome = _outcome(run_id, item, (status, reason), proof, at_s)
        writer.append(_measurements(run_id, item, values, at_s) if status is Status.OK else [], outcome)
        at_s += values.get("startup.ready_s", SENTINEL_S) + 0.75
    writer.update(state=state)
    return writer.path


def _engine(target: str) -> str:
    return "host" if target in ("null", "sentinel") else target.partition(":")[0]


def _proof(shapes: Mapping[str, Shape], item: Invocation) -> Mapping[str, str]:
    if item.target == "sentinel":
        return {}
    return shapes["host" if item.target == "null" else item.target].evidence


def _outcome(
    run_id: str, item: Invocation, ended: tuple[Status, str], proof: Mapping[str, str], at_s: float
) -> Outcome:
    status, reason = ended
    return Outcome(
        run_id=run_id,
        invocation=item.index,
        scenario=item.scenario,
        target=item.target,
        engine=_engine(item.target),
        params=item.params,
        block=item.block,
        order=item.order,
        warmup=item.warmup,
        status=status,
        reason=reason,
        evidence=proof if status is Status.OK else {},
        request_mono_s=1000.0 + at_s,
        flags=FLAGS.get((item.target, item.block), ()),
        wall_s=0.9,
        harness_s=0.01,
        kind=kind_of(item.target),
    )


def _measurements(run_id: str, item: Invocation, values: Mapping[str, float], at_s: float) -> list[Measurement]:
    return [
        Measurement(
            run_id=run_id,
            scenario=item.scenario,
            target=item.target,
            engine=_engine(item.target),
            params=item.params,
            block=item.block,
            order=item.order,
            invocation=item.index,
            iteration=0,
            warmup=item.warmup,
            metric=name,
            value=value,
            unit="s",
            at_s=at_s,
        )
        for name, value in values.items()
    ]
