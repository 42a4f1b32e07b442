"""Whether an engine runs an image as its configuration says (OCI image-spec, config.md): user, working directory, environment.

Every engine gets the same image, by its digest; the payload in it says as whom it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.benchmarks.reach import facts
from bench.benchmarks.reach.facts import Fact
from bench.core.errors import NotApplicable, TareError
from bench.engines.abilities import ImageStore, RunsImages, leaves_configuration
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import bases, images
from bench.lab.images import Image
from bench.workloads import reach
from bench.workloads.reach import Self

_NAME = "tare/configured:latest"
_UID, _GID, _FOLDER = 1234, 2345, "/srv/here"
_VARIABLES = {"TARE_WORD": "one", "TARE_WORDS": "one two=three"}
_SETTINGS = {
    "User": f"{_UID}:{_GID}",
    "WorkingDir": _FOLDER,
    "Env": [f"{name}={value}" for name, value in _VARIABLES.items()],
}


def measure(context: InvocationContext) -> InvocationResult:
    """Run the image and compare as whom the payload runs with what the image says."""
    store, image = _store(context), _image(context.lab.paths.state)
    with _present(context, store, image):
        spec = life.spec_of(context, (*reach.say_self(_VARIABLES), "--sleep"), image=image)
        with life.opened(context, spec) as opened, context.account.engine():
            spec.events.chmod(0o777)  # the image's user reports to it
            opened.request()
            instance = opened.run()
            opened.channel.wait_line(reach.SELF_END, context.timeout_s, instance.alive)
            evidence = {**life.evidence_of(context, instance), "image": image.manifest}
            context.engine.stop(instance)
    found = list(_facts(reach.self_of(line.text for line in opened.channel.lines)))
    documented = dict.fromkeys(facts.FACTS["image"], True)
    return facts.result(found, documented, evidence, notes=facts.version_of(facts.networks_of(context.engine)))


def _store(context: InvocationContext) -> ImageStore:
    engine = context.engine
    if not isinstance(engine, RunsImages):
        msg = f"'{engine.target.engine}' runs no images"
        raise NotApplicable(msg)
    if leaves_configuration(engine):
        msg = f"'{engine.target.engine}' leaves the configuration of an image to its clients"
        raise NotApplicable(msg)
    return engine.images


def _image(state: Path) -> Image:
    """Return the image: the payload and an empty working directory, with a configuration unlike every engine's default."""
    program = images.payload_layer(images.payload(state).path.read_bytes())
    layer = bases.extended(program, [bases.folder(_FOLDER.lstrip("/"))])
    return images.layered(state, _NAME, [layer], _SETTINGS)


@contextlib.contextmanager
def _present(context: InvocationContext, store: ImageStore, image: Image) -> Iterator[None]:
    """Give the engine the image during the block."""
    with context.account.engine():
        store.add(image)
    try:
        yield
    except BaseException:
        with contextlib.suppress(TareError), context.account.engine():
            store.remove(image)
        raise
    with context.account.engine():
        store.remove(image)


def _facts(found: Self) -> Iterator[Fact]:
    yield Fact("starts", works=True)
    pairs = {
        "same-user": (f"{found.uid}:{found.gid}", _SETTINGS["User"]),
        "same-folder": (found.folder, _FOLDER),
        "same-environment": (dict(found.variables), _VARIABLES),
    }
    for name, (has, wanted) in pairs.items():
        yield Fact(name, has == wanted, said="" if has == wanted else f"it is {has}, not {wanted}")
