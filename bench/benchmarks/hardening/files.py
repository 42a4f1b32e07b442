"""What mapped users cost an image of many files: its first start, its second one, and the disk space that both add."""

from __future__ import annotations

from bench.benchmarks.hardening import observed
from bench.benchmarks.hardening.switches import Chosen
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Phase
from bench.engines.abilities import HasStorage, RunsImages
from bench.invocation import disk_use, life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import layers
from bench.lab.images import Image

_NAME = "tare/files"


def measure(context: InvocationContext, chosen: Chosen) -> InvocationResult:
    """Load an image that the engine does not have, start two instances of it, and compare the engine's disk before and after.

    Raises:
        NotApplicable: The engine has no images, or its disk cannot be read.
    """
    engine, count = chosen.context.engine, int(context.params["files"])
    if not isinstance(engine, RunsImages) or not isinstance(engine, HasStorage):
        msg = f"'{context.engine.target.text}' has no store of images"
        raise NotApplicable(msg)
    image = layers.image(context.lab.paths.state, f"{_NAME}:{count}", [layers.many(count)])
    engine.images.remove(image)
    try:
        engine.images.add(image)
        before = disk_use.look(engine.storage())
        first, evidence = _start(chosen, image, 1)
        second, _ = _start(chosen, image, 2)
        added = disk_use.look(engine.storage()).more_than(before)
    finally:
        engine.images.remove(image)
    values = {"hardening.first_start_s": first, "hardening.second_start_s": second}
    return InvocationResult({**values, "hardening.added_bytes": float(max(0, added))}, evidence)


def _start(chosen: Chosen, image: Image, number: int) -> tuple[float, dict[str, str]]:
    """Start and delete an instance of the image; return the seconds until it was ready, and its evidence."""
    context = chosen.context
    spec = life.spec_of(context, suffix=f"-{number}", image=image, hardening=chosen.wanted)
    with life.opened(context, spec) as one:
        observed.open_to_all(spec)
        with context.account.engine():
            one.request()
            instance = one.run()
        evidence = life.evidence_of(context, instance)
        seconds = one.timeline.since_request(Phase.READY)
    if seconds is None:
        msg = "an instance did not report that it was ready"
        raise InvocationFailed(msg)
    return seconds, evidence
