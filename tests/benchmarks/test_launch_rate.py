"""Launch rate of Tare against ``xargs -P`` over the same engine's command line, each at its best concurrency."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench import benchmarks, scenario
from bench.core.clock import EventHub, now_s
from bench.core.model import Invocation
from bench.engines import oci_spec
from bench.engines.base import Engine, InstanceSpec
from bench.engines.containerd.daemon import start_containerd
from bench.engines.docker.daemon import start_dockerd
from bench.invocation import headroom, residue
from bench.invocation.context import Account, InvocationContext
from bench.invocation.crowd import gathered
from bench.lab import Lab, images
from bench.run import preflight

CPU_MULTIPLES = (1.0, 2.0, 4.0)
SCREENED, PAIRS = 3, 9
COUNT = {"runc": 60, "containerd": 40, "docker:network=none": 20}
MEMORY = 256 * 2**20


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    state = tmp_path_factory.mktemp("l")
    images.payload(state)
    with Lab("1a0c", state=state) as made:
        yield made


def engine_of(target: str, lab: Lab) -> Engine:
    prepared = preflight.prepare([scenario.parse_target(target)], lab)
    assert not prepared.missing, prepared.missing
    return prepared.engines[target]


def context_of(engine: Engine, lab: Lab, hub: EventHub, number: int, multiple: float) -> InvocationContext:
    params = benchmarks.with_defaults("density", {"concurrency": multiple})
    return InvocationContext(
        invocation=Invocation(number, "density", engine.target.text, params, 0, 0, warmup=False),
        params=params,
        engine=engine,
        lab=lab,
        hub=hub,
        name=f"tare-{lab.short_id}-{number}",
        timeout_s=120,
        account=Account(),
        note_request=lambda _: None,
    )


def ours(context: InvocationContext, count: int) -> float:
    """Return instances a second by the crowd, from the first request to the last instance's word that it is ready."""
    with gathered(context) as crowd:
        step = crowd.launch(count)
        assert not step.errors, step.errors
        return count / step.wall_s


def loop(context: InvocationContext, count: int) -> float:
    """Return instances per second started by ``xargs -P``, from its start until the last instance is ready.

    The instances are the same: the same program, limits and event socket, though one socket for all of them.
    """
    before = context.lab.residue()
    names = [f"{context.name}-x{number}" for number in range(count)]
    with listening(context.lab.paths.run / "e" / context.name, count) as (events, ready):
        argv = [
            "xargs",
            "-P",
            str(headroom.workers(context)),
            "-I{}",
            *LOOPS[context.engine.target.engine](context, events),
        ]
        try:
            begin = now_s()
            done = subprocess.run(argv, input="\n".join(names), text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:] + log_of(context).read_text(encoding="utf-8")[-2000:]
            assert ready.wait(30), "an instance of the loop did not report"
            return count / (now_s() - begin)
        finally:
            with ThreadPoolExecutor(headroom.workers(context)) as pool:
                list(pool.map(context.engine.delete, names))
            residue.wait_gone(context.lab, before)


def log_of(context: InvocationContext) -> Path:
    """Return the file for a detached container's standard error, which would keep a pipe open."""
    log = context.lab.paths.run / "log/loop"
    log.touch()
    return log


@contextlib.contextmanager
def listening(path: Path, count: int) -> Iterator[tuple[Path, threading.Event]]:
    """Yield a datagram socket, and an event that is set when ``count`` payloads have reported ready."""
    ready = threading.Event()

    def count_ready(sock: socket.socket) -> None:
        left = count
        with contextlib.suppress(OSError):  # shut down below
            while left and (data := sock.recv(64)):
                left -= data == b"R\n"
            ready.set()

    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.bind(str(path))
        path.chmod(0o666)
        thread = threading.Thread(target=count_ready, args=(sock,))
        thread.start()
        try:
            yield path, ready
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


def runc(context: InvocationContext, events: Path) -> list[str]:
    """Return ``runc run -d`` with a bundle per instance made from a template, as Tare's instances have."""
    rootfs = images.rootfs(context.lab.paths.state).path
    job = InstanceSpec("NAME", events, memory_bytes=MEMORY)
    spec = oci_spec.config(spec=job, rootfs_path=rootfs, cgroup_path=f"{context.lab.cgroup_path}/NAME")
    template = context.lab.paths.run / "template.json"
    template.write_text(json.dumps(spec), encoding="utf-8")
    bundle = f"{context.lab.paths.run}/b/{{}}"
    script = (
        f"mkdir {bundle} && sed s/NAME/{{}}/g {template} > {bundle}/config.json && "
        f"exec runc --root={context.lab.paths.run}/runc run -d --bundle {bundle} {{}} </dev/null >/dev/null 2>>{log_of(context)}"
    )
    return ["sh", "-c", script]


def containerd(context: InvocationContext, events: Path) -> list[str]:
    limits = ["--memory-limit", str(MEMORY), "--cpus", "1", "--cgroup", f"{context.lab.cgroup_path}/{{}}"]
    mount = ["--mount", f"type=bind,src={events},dst={images.EVENTS},options=bind:nosuid:nodev"]
    program = [f"docker.io/{images.IMAGE}", "{}", images.PAYLOAD, "--events", f"unix:{images.EVENTS}", "--sleep"]
    return ["ctr", "-a", str(start_containerd(context.lab)), "-n", "tare", "run", "-d", *limits, *mount, *program]


def docker(context: InvocationContext, events: Path) -> list[str]:
    host = f"unix://{start_dockerd(context.lab)}"
    limits = ["--memory", str(MEMORY), "--cpus", "1", "--network", "none", "-v", f"{events}:{images.EVENTS}"]
    program = [images.IMAGE, "--events", f"unix:{images.EVENTS}", "--sleep"]
    return ["docker", "-H", host, "run", "-d", *limits, "--name", "{}", *program]


WAYS = {"ours": ours, "loop": loop}
LOOPS: dict[str, Callable[[InvocationContext, Path], list[str]]] = {
    "runc": runc,
    "containerd": containerd,
    "docker": docker,
}


@pytest.mark.root
@pytest.mark.engines
@pytest.mark.parametrize("target", COUNT)
def test_launch_rate_is_at_least_that_of_xargs(
    benchmark: Any, lab: Lab, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compare in pairs measured one after the other; the median ratio decides."""
    engine = engine_of(target, lab)
    numbers = itertools.count(1)
    best: dict[str, float] = {}
    pairs: list[tuple[float, float]] = []
    with EventHub(images.stamp(lab.paths.state)) as hub:

        def rate(name: str, multiple: float) -> float:
            return WAYS[name](context_of(engine, lab, hub, next(numbers), multiple), COUNT[target])

        def rounds() -> None:
            screened: dict[tuple[str, float], list[float]] = {}
            for _ in range(SCREENED):  # rounds that choose the concurrency are not part of the result
                for name, multiple in itertools.product(WAYS, CPU_MULTIPLES):
                    screened.setdefault((name, multiple), []).append(rate(name, multiple))
            for name in WAYS:
                best[name] = max(CPU_MULTIPLES, key=lambda multiple: statistics.median(screened[name, multiple]))
            for turn in range(PAIRS):
                order = ("ours", "loop") if turn % 2 else ("loop", "ours")
                seen = {name: rate(name, best[name]) for name in order}
                pairs.append((seen["ours"], seen["loop"]))

        benchmark.pedantic(rounds, rounds=1)
    ratio = statistics.median(mine / other for mine, other in pairs)
    benchmark.extra_info["ratio"] = ratio
    ours_s, loop_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    with capsys.disabled():
        print(
            f"\n{target}: {ours_s:.1f}/s at {best['ours']:g} × CPUs, xargs over the command line {loop_s:.1f}/s at "
            f"{best['loop']:g} × CPUs, median ratio of {PAIRS} pairs {ratio:.2f} (at least 1), {COUNT[target]} instances each"
        )
    assert ratio >= 1
