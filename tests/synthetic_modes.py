"""Generator of a run on disk with networks, names, storage and images.

All numbers come from one seeded generator, so the same arguments give the same bytes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.model import Invocation, ParamValue, RunState, Status
from bench.invocation.context import Value
from bench.store import RunWriter
from tests.synthetic import FACTS
from tests.synthetic_modes_shapes import (
    BASES,
    DRIVERS,
    FAR,
    FILES,
    MODES,
    OPERATIONS,
    PLACES,
    RECIPES,
    SCENARIOS,
    SKIPS,
    UNAVAILABLE,
    Driver,
)
from tests.synthetic_shapes import GIB, KIB, MIB
from tests.synthetic_weights import Change, Given, Params, measurements_of, outcome_of
from tests.unsynced import unsynced

RUN_ID = "20261125T090000Z-bench-01-m0de"
LARGEST = 64 * 2**20


@dataclass
class Draw:
    """Draws one invocation at a time from the run's generator."""

    rng: random.Random

    def noise(self, sigma: float = 0.02) -> float:
        """Draw a factor around 1."""
        return math.exp(self.rng.gauss(0.0, sigma))

    def network_modes(self, target: str, params: Params) -> Given:
        """Draw throughput, latency, connections and start of a network mode."""
        mode, values = MODES[target], []
        for streams, more in ((1, 1.0), (4, 1.25)):
            for direction, less in (("out", 1.0), ("in", 0.93)):
                named: Params = {"streams": streams, "direction": direction}
                rate = mode.rate * more * less * self.noise(0.03)
                values.append(Value("network.throughput_bytes_per_s", rate, named))
                values.append(Value("network.cpu_s_per_gb", mode.cpu * self.noise(), named))
                values.append(Value("network.retransmits", float(int(mode.lost * 2000 * self.rng.random())), named))
        values.append(Value("network.rr_p50_s", mode.answer * self.noise(), {}))
        values.append(Value("network.rr_p99_s", mode.answer * 2.4 * self.noise(0.1), {}))
        values.append(Value("network.connect_per_s", 0.3 / mode.answer * self.noise(), {}))
        values.append(Value("network.udp_bytes_per_s", 0.2 * mode.rate * self.noise(), {}))
        values.append(Value("network.udp_loss_ratio", mode.lost * self.noise(0.2), {}))
        values.append(Value("network.udp_jitter_s", 0.2 * mode.answer * self.noise(0.2), {}))
        values.append(Value("network.ready_s", mode.ready * self.noise(), {}))
        far, address = FAR.get(target, ("a native process on the second host", "10.90.0.2"))
        return Given(
            values, {"far": far, "address": address, "order": "1 out, answers, 1 in, connects, 4 out, datagrams, 4 in"}
        )

    def discovery(self, target: str, params: Params) -> Given:
        """Draw lookups."""
        if target == "host":
            return Given([Value("discovery.lookup_s", 31e-6 * self.noise(), {"name": "own"})])
        slow = {"docker:network=user": 1.0, "docker:network=overlay": 1.3}.get(target, 0.7)
        seconds = {"own": 180e-6, "other": 190e-6, "unknown": 2.1e-3}
        values = [
            Value("discovery.lookup_s", slow * each * self.noise(), {"name": name}) for name, each in seconds.items()
        ]
        values.append(Value("discovery.resolvable_s", slow * 0.41 * self.noise(), {}))
        values.append(Value("discovery.gap_s", 1.2e-3 * self.noise(), {}))
        return Given(values)

    def storage_drivers(self, target: str, params: Params) -> Given:
        """Draw one operation of a storage driver."""
        driver = DRIVERS[target]
        made = getattr(self, f"_{str(params['operation']).replace('-', '_')}")
        return Given(made(driver))

    def _life(self, driver: Driver) -> list[Value]:
        values = []
        for layers in (1, 10, 50):
            deeper = 1 + driver.depth * layers
            for name, seconds in (("create", 60e-3), ("start", 210e-3), ("remove", 45e-3)):
                slow = driver.life * deeper if name != "start" else 1.0
                values.append(Value(f"storage.{name}_s", seconds * slow * self.noise(), {"layers": layers}))
        return values

    def _copy_up(self, driver: Driver) -> list[Value]:
        values = []
        for size in FILES:
            first = (driver.touch + size * driver.byte) * self.noise(0.03)
            values.append(Value("storage.copy_up_s", first, {"file_bytes": size, "write": "first"}))
            second = 9e-6 * driver.op * self.noise()
            values.append(Value("storage.copy_up_s", second, {"file_bytes": size, "write": "second"}))
            synced = (1e-3 + size * driver.byte * 2) * self.noise(0.05)
            values.append(Value("storage.fsync_s", synced, {"file_bytes": size, "write": "first"}))
            used = 8 * KIB + size * (driver.byte > 0)
            values.append(Value("storage.used_bytes", float(used), {"file_bytes": size}))
        return values

    def _metadata(self, driver: Driver) -> list[Value]:
        rates = {"create": 41000, "stat": 610000, "rename": 33000, "unlink": 52000, "whiteout": 21000}
        return [
            Value("storage.metadata_per_s", rate / driver.op * self.noise(), {"action": action})
            for action, rate in rates.items()
        ]

    def _io(self, driver: Driver) -> list[Value]:
        values = []
        for cache, more in (("direct", 1.0), ("buffered", 5.0)):
            named: Params = {"pattern": "sequential", "cache": cache}
            values.append(Value("storage.read_bytes_per_s", 1.4 * GIB * more / driver.io * self.noise(), named))
            values.append(Value("storage.write_bytes_per_s", 0.9 * GIB * more / driver.io * self.noise(), named))
            for op, rate in (("read", 61000), ("write", 38000)):
                drawn = rate * more / driver.io * self.noise()
                values.append(Value("storage.iops", drawn, {"pattern": "random", "cache": cache, "op": op}))
        return values

    def _cache(self, driver: Driver) -> list[Value]:
        return [Value("storage.shared_cache_bytes", 64 * MIB * driver.shared * self.noise(0.005), {"readers": 4})]

    def _unpack(self, driver: Driver) -> list[Value]:
        return [
            Value("storage.unpack_s", 0.9 * driver.life * self.noise(), {}),
            Value("storage.used_bytes", 38 * MIB * (driver.life if driver.life > 3 else 1.0), {}),
        ]

    def storage_types(self, target: str, params: Params) -> Given:
        """Draw speeds of a mount, and whether it kept the data."""
        place = PLACES[target]
        values = self._io(Driver(io=place.slow))
        values.append(Value("storage.fsync_s", place.fsync * self.noise(0.05), {}))
        values.append(Value("storage.fsync_p99_s", place.fsync * 3.1 * self.noise(0.1), {}))
        for action, rate in (("create", 39000), ("stat", 590000), ("unlink", 50000)):
            values.append(Value("storage.metadata_per_s", rate / place.slow * self.noise(), {"action": action}))
        if place.kept == "refused":
            values = [one for one in values if "read" in one.metric]
        return Given(values, {"kept": place.kept, "how": place.how})

    def size(self, target: str, params: Params) -> Given:
        """Draw the sizes of one form of the application."""
        bytes_, layers, shared = BASES[target, str(params["base"])]
        whole = {"bytes": bytes_, "compressed_bytes": 0.41 * bytes_, "layers": layers}
        if shared is not None:
            whole["shared_bytes"] = shared
        values = [Value(f"image.{name}", float(int(number)), {}) for name, number in whole.items()]
        return Given([*values, Value("image.instance_bytes", 24 * KIB * self.noise(), {})])

    def image_build(self, target: str, params: Params) -> Given:
        """Draw the builds of one recipe."""
        cold, change, same, bytes_, layers, context = RECIPES[str(params["recipe"])]
        slow = 1.0 if target.startswith("docker") else 1.3
        seconds = {"cold": cold, "source-change": change, "unchanged": same}
        values = [
            Value("image.build_s", slow * each * self.noise(), {"cache": cache}) for cache, each in seconds.items()
        ]
        values += [Value("image.bytes", float(bytes_), {}), Value("image.layers", float(layers), {})]
        return Given([*values, Value("image.context_bytes", float(context), {})])

    def pull(self, target: str, params: Params) -> Given:
        """Draw a pull and the start after it."""
        layers, fast = int(params["layers"]), {"docker:network=none": 1.0, "containerd": 0.7}.get(target, 1.5)
        pulled = fast * (0.8 + 0.02 * layers) * self.noise()
        ready = pulled + 0.3 * fast * self.noise()
        return Given([Value("pull.pull_s", pulled, {}), Value("pull.ready_s", ready, {}),
                      Value("pull.share_ratio", pulled / ready, {}), Value("pull.bytes", float(32 * 2**20 + 900 * layers), {})])  # fmt: skip


def _meta(targets: Mapping[str, Sequence[str]], blocks: int) -> dict[str, object]:
    scenarios = {}
    for name in targets:
        shape = SCENARIOS[name]
        scenarios[name] = {
            "title": shape.title,
            "description": f"A synthetic run of {name}.",
            "procedure": name,
            "targets": list(targets[name]),
            "baseline": shape.baseline,
            "primary": list(shape.primary),
            "params": {key: list(values) for key, values in shape.params.items()},
            "blocks": 1 if name == "size" else blocks,
            "warmup_blocks": 0,
            "timeout_s": 180.0,
        }
    names = list(targets)
    missing = [{"scenario": "storage-drivers", "target": target, "reason": reason, "remedy": remedy}
               for target, (reason, remedy) in UNAVAILABLE.items() if "storage-drivers" in names]  # fmt: skip
    return {"run_id": RUN_ID, "tare_version": "0.1.0", "command": ["run", *names], "seed": 5, "host": "bench-01",
            "started_at": "2026-11-25T09:00:00Z", "started_mono_s": 1000.0, "tags": {}, "scenarios": scenarios,
            "skipped": missing, "facts": dict(FACTS), "fingerprint": "7d1f0c52a9b4", "epoch": ["kernel"], "engines": {},
            "instrument": {"stamp": "c", "scheduling": "SCHED_FIFO"}}  # fmt: skip


def _plan(targets: Mapping[str, Sequence[str]], blocks: int, rng: random.Random) -> list[Invocation]:
    made: list[Invocation] = []
    for name, chosen in targets.items():
        variants: list[dict[str, ParamValue]] = [{}]
        for key, given in SCENARIOS[name].params.items():
            variants = [{**params, key: value} for params in variants for value in given]
        cells = [(target, params) for params in variants for target in chosen]
        for block in range(1 if name == "size" else blocks):
            for order, (target, params) in enumerate(rng.sample(cells, len(cells))):
                made.append(Invocation(len(made), name, target, params, block, order, warmup=False))
    return made


@unsynced()
def write_modes(
    folder: Path,
    *,
    only: Sequence[str] = tuple(SCENARIOS),
    targets: Sequence[str] | None = None,
    blocks: int = 7,
    failures: Mapping[tuple[str, str, int], str] | None = None,
    change: Change = lambda _, given: given,
) -> Path:
    """Write the run into ``folder`` and return its path.

    ``targets`` leaves out all others; ``failures`` is keyed by scenario, target and block; ``change`` may alter what an
    invocation gave. By default one invocation of a network mode fails.
    """
    rng = random.Random(5)  # noqa: S311 - noise, not a secret
    wanted = {name: [one for one in SCENARIOS[name].targets if targets is None or one in targets] for name in only}
    invocations = _plan(wanted, blocks, rng)
    writer = RunWriter.create(folder, _meta(wanted, blocks), invocations)
    bad = {("network-modes", "docker:network=overlay", 2): "the overlay has no peer"} if failures is None else failures
    draw, at_s = Draw(rng), 2.0
    for item in invocations:
        skip = SKIPS.get((item.scenario, item.target, str(item.params.get(OPERATIONS.get(item.scenario, ""), ""))), "")
        fault = bad.get((item.scenario, item.target, item.block), "")
        status = Status.SKIPPED if skip else Status.FAILED if fault else Status.OK
        given = (
            Given(())
            if skip
            else change(item, getattr(draw, item.scenario.replace("-", "_"))(item.target, item.params))
        )
        fine = status is Status.OK
        outcome = outcome_of(item, status, skip or fault, given.notes if fine else {}, RUN_ID)
        writer.append(measurements_of(item, given.values if fine else (), at_s, RUN_ID), outcome)
        at_s += 3.0
    writer.update(state=RunState.COMPLETE)
    return writer.path
