"""Launch rate at the best concurrency against a plain shell loop over the same engine's command line, in the same run."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bench import preflight, procedures, scenario
from bench.clock import EventHub, now_s
from bench.engines import _ocispec
from bench.engines.base import Engine, Job
from bench.lab import Lab, images
from bench.model import Invocation
from bench.procedures import _crowd, _room
from bench.procedures.base import Account, Place

CPU_MULTIPLES = (1.0, 2.0, 4.0)
ROUNDS = 3
COUNT = {"runc": 40, "containerd": 40, "docker:network=none": 20}
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


def place_of(engine: Engine, lab: Lab, hub: EventHub, number: int, multiple: float) -> Place:
    params = procedures.with_defaults("density", {"concurrency": multiple})
    return Place(
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


def ours(place: Place, count: int) -> float:
    """Return instances a second by the crowd, from the first request to the last instance's word that it is ready."""
    with _crowd.gathered(place) as crowd:
        step = crowd.launch(count)
        assert not step.errors, step.errors
        return count / step.wall_s


def loop(place: Place, count: int) -> float:
    """Return instances a second by ``xargs -P`` over the command line, from its start to its end."""
    before = place.lab.residue()
    names = [f"{place.name}-x{number}" for number in range(count)]
    each = LOOPS[place.engine.target.engine](place)
    argv = ["xargs", "-P", str(_room.workers(place)), "-I{}", *each]
    try:
        begin = now_s()
        done = subprocess.run(argv, input="\n".join(names), text=True, capture_output=True, check=False)
        wall = now_s() - begin
        assert done.returncode == 0, done.stderr[-2000:]
        return count / wall
    finally:
        with ThreadPoolExecutor(_room.workers(place)) as pool:
            list(pool.map(place.engine.delete, names))
        _crowd.quiet(place, before)


def runc(place: Place) -> list[str]:
    """A bundle an instance from a template, and ``runc run -d``, as the crowd's instances have one each."""
    job = Job("NAME", place.lab.paths.run / "e/unused", memory_bytes=MEMORY)
    rootfs = images.rootfs(place.lab.paths.state).path
    spec = _ocispec.spec(job=job, rootfs_path=rootfs, cgroup_path=f"{place.lab.cgroup_path}/NAME")
    spec["process"]["args"] = [images.PAYLOAD, "--sleep"]
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "bind"]
    template = place.lab.paths.run / "template.json"
    template.write_text(json.dumps(spec), encoding="utf-8")
    bundle = f"{place.lab.paths.run}/b/{{}}"
    script = (
        f"mkdir {bundle} && sed s/NAME/{{}}/ {template} > {bundle}/config.json && "
        f"exec runc --root={place.lab.paths.run}/runc run -d --bundle {bundle} {{}} </dev/null >/dev/null 2>&1"
    )
    return ["sh", "-c", script]


def containerd(place: Place) -> list[str]:
    limits = ["--memory-limit", str(MEMORY), "--cpus", "1", "--cgroup", f"{place.lab.cgroup_path}/{{}}"]
    image = [f"docker.io/{images.IMAGE}", "{}", images.PAYLOAD, "--sleep"]
    return ["ctr", "-a", str(place.lab.daemons.containerd()), "-n", "tare", "run", "-d", *limits, *image]


def docker(place: Place) -> list[str]:
    host = f"unix://{place.lab.daemons.docker()}"
    limits = ["--memory", str(MEMORY), "--cpus", "1", "--network", "none"]
    return ["docker", "-H", host, "run", "-d", *limits, "--name", "{}", images.IMAGE, "--sleep"]


LOOPS: dict[str, Callable[[Place], list[str]]] = {"runc": runc, "containerd": containerd, "docker": docker}


@pytest.mark.root
@pytest.mark.engines
@pytest.mark.parametrize("target", COUNT)
def test_launch_rate_against_xargs_over_the_command_line(
    benchmark: Any, lab: Lab, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best of ours is at least the best of the loop's, medians of interleaved rounds."""
    engine = engine_of(target, lab)
    rates: dict[tuple[str, float], list[float]] = {}
    with EventHub(images.stamp(lab.paths.state)) as hub:

        def rounds() -> None:
            number = 0
            for turn in range(ROUNDS):
                for multiple in CPU_MULTIPLES:
                    for name, way in (("ours", ours), ("loop", loop))[:: 1 if turn % 2 else -1]:
                        number += 1
                        place = place_of(engine, lab, hub, number, multiple)
                        rates.setdefault((name, multiple), []).append(way(place, COUNT[target]))

        benchmark.pedantic(rounds, rounds=1)
        shell = shlex.join(LOOPS[engine.target.engine](place_of(engine, lab, hub, 0, 1.0)))
    best = {
        name: max((statistics.median(rates[name, multiple]), multiple) for multiple in CPU_MULTIPLES)
        for name in ("ours", "loop")
    }
    ratio = best["ours"][0] / best["loop"][0]
    benchmark.extra_info["ratio"] = ratio
    with capsys.disabled():
        shown = ", ".join(f"{name} {rate:.1f}/s at {multiple:g} × CPUs" for name, (rate, multiple) in best.items())
        print(f"\n{target}: {shown}, ratio {ratio:.2f} (at least 1); n = {COUNT[target]}; xargs over: {shell[:60]} …")
    assert ratio >= 1
