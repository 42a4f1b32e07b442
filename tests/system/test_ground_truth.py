"""System test: the reported first instruction against the kernel's record of the payload's exec, and of QEMU's write."""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench import engines, store
from bench.core.clock import EventHub
from bench.core.model import Phase
from bench.engines.base import Engine, InstanceSpec
from bench.engines.life import Life, deleted
from bench.lab import Lab
from bench.run import session
from bench.scenario import parse_target
from tests.system.conftest import Tare
from tests.system.tracing import program_starts, single_bytes

TARGETS = ("host", "runc", "containerd", "docker:network=none")
LIMIT_S = 1e-3
QUANTILE = {"docker:network=none": 0.5}
"""Quantile by target, 0.95 for the others: dockerd is still busy when the container's program starts."""
ENOUGH_IDLE = 0.25
"""Share of the CPUs' time that must have been idle for the 95th percentile to say something about the stamp: the median has to
hold on any host, but where other programs wait for the same CPUs, one start in twenty is interrupted before its first instruction."""
ATTEMPTS = 5  # a shared host sometimes stalls for seconds; a wrong stamp is wrong in every attempt


def gaps(folder: Path, execs: list[float]) -> pd.DataFrame:
    """Return per measured invocation the reported first instruction minus the preceding exec of the payload (s).

    The kernel's record is of the whole host: where a payload of other tests started in the same moment, which of the two starts is
    this invocation's cannot be told, so the invocation is left out. A third of a target's invocations have to remain.
    """
    run = store.load(store.find(folder, "latest"))
    numbers = store.measurements(run)
    first = numbers[numbers["metric"] == "startup.first_instruction_s"].set_index("invocation")
    done = store.outcomes(run)
    requests = dict(zip(done["invocation"], done["request_mono_s"], strict=True))
    rows = []
    measured = first[~first["warmup"]]
    for number, row in measured.iterrows():
        request = float(requests[number])
        reported = request + float(row["value"])
        inside = [at for at in execs if request <= at <= reported]
        assert inside, f"{row['target']}: no start of the payload between request and report"
        if len(inside) == 1:
            rows.append({"target": row["target"], "gap_s": reported - inside[0]})
    found = pd.DataFrame(rows, columns=["target", "gap_s"])
    kept = found["target"].value_counts() / measured["target"].value_counts()
    assert kept.min() >= 1 / 3, (
        f"too many starts of payloads by others: {kept.to_dict()} of the invocations can be told apart"
    )
    return found


def cpu_ticks() -> tuple[int, int]:
    """Return the ticks that all CPUs together have been idle, and all their ticks (proc_stat(5): idle is the fourth number)."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return fields[3], sum(fields)


@pytest.mark.root
@pytest.mark.engines
@pytest.mark.system
def test_first_instruction_is_within_a_millisecond_of_the_exec(
    tare: Tare, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best: dict[str, float] = {}
    left: tuple[str, ...] = TARGETS
    for _ in range(ATTEMPTS):
        again = dict.fromkeys(("host", *left))  # always with the host, which the null target repeats
        targets = [word for target in again for word in ("-t", target)]
        idle, ticks = cpu_ticks()
        with program_starts() as trace:
            done = tare("run", "startup", *targets, "--blocks", "20")
            assert done.returncode == 0, done.stderr
            found = gaps(tmp_path / "results", trace.execs("/tare-payload"))
        share = [now - then for now, then in zip(cpu_ticks(), (idle, ticks), strict=True)]
        usual = 0.95 if share[0] / share[1] >= ENOUGH_IDLE else 0.5
        late = {str(name): rows["gap_s"] for name, rows in found.groupby("target")}
        with capsys.disabled():
            shown = ", ".join(
                f"{name} {1e6 * gaps.median():.0f} and {1e6 * gaps.quantile(0.95):.0f} µs"
                for name, gaps in late.items()
            )
            print(
                f"\nexec → reported first instruction, median and 95th percentile, host {share[0] / share[1]:.0%} idle: {shown}"
            )
        assert found["gap_s"].min() >= 0, "a stamp before the exec: the clocks differ"
        assert set(left) <= set(late)
        for name, rows in late.items():
            best[name] = min(best.get(name, 1.0), float(rows.quantile(QUANTILE.get(name, usual))))
        if max(best.values()) <= LIMIT_S:
            return
        left = tuple(name for name in TARGETS if best[name] > LIMIT_S)
    pytest.fail(f"the reported first instruction is late by more than {LIMIT_S} s in every attempt: {best}")


@contextlib.contextmanager
def python(*, busy: bool) -> Iterator[None]:
    """Run a thread that computes in Python during the block, if it is to be busy."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(number * number for number in range(200))

    thread = threading.Thread(target=compute)
    if busy:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if busy:
            thread.join()


def lateness(lab: Lab, hub: EventHub, engine: Engine, number: int, *, busy: bool) -> list[float]:
    """Boot a guest; return the stamps of its two events minus QEMU's writes of the newlines that end them (s)."""
    name = f"tare-{lab.short_id}-{number}"
    spec = InstanceSpec(name, lab.paths.run / "e" / str(number), timeout_s=120)
    with hub.channel(spec.events, engine.channel) as channel, deleted(engine, name), single_bytes() as trace:
        life = Life(engine, spec, channel, 120)
        life.request()
        with python(busy=busy):
            instance = life.run()
        written = trace.bytes_sent(instance.handle["pid"])
    assert len(written) == 4, "two lines of a letter and a newline"
    stamps = [channel.stamps[phase] for phase in (Phase.FIRST_INSTRUCTION, Phase.READY)]
    return [stamp - at for stamp, at in zip(stamps, written[1::2], strict=True)]


@pytest.mark.root
@pytest.mark.engines
@pytest.mark.system
def test_guests_events_are_stamped_when_qemu_writes_them_however_busy_python_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late: dict[bool, list[float]] = {False: [], True: []}
    with session.open_lab(session.make_id(), tmp_path) as (lab, hub):
        engine = engines.load(parse_target("libvirt:guest=minimal"), lab)
        engine.prepare()
        for number in range(10):
            late[number % 2 == 1] += lateness(lab, hub, engine, number, busy=number % 2 == 1)
    with capsys.disabled():
        shown = [f"{1e6 * statistics.median(found):.0f} µs (longest {1e6 * max(found):.0f})" for found in late.values()]
        print(f"\nQEMU's write → stamp, median: {shown[0]}; with Python busy {shown[1]}")
    assert min(map(min, late.values())) > -LIMIT_S
    assert all(statistics.median(found) <= LIMIT_S for found in late.values())
