"""Whether a volume and its content outlive the container that wrote to it."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HasVolumes, Volume, VolumeStore
from bench.engines.base import Bind
from bench.engines.evidence.mounts import DATA
from bench.invocation import life, mounts
from bench.invocation.context import InvocationContext, InvocationResult

DOCUMENTED = {"named-rm": True, "named-rm-v": True, "anonymous-rm": True, "anonymous-rm-v": False}
"""Case → whether the volume stays (docker-rm(1), podman-rm(1): the option removes anonymous volumes only)."""
_KEPT = f"{{{DATA}}}/{mounts.FILE}:{mounts.BYTES}"


def removed(context: InvocationContext, what: str, how: str) -> InvocationResult:
    """Write to a volume, remove the container, and look for the volume and its content with another container.

    Raises:
        NotApplicable: The engine has no volumes.
    """
    volumes = _volumes_of(context)
    volume, evidence = _written(context, volumes, what, with_volumes=how == "rm-v")
    try:
        there = volumes.exists(volume.name)
        said = _content(context, volume) if there else "absent"
    finally:
        volumes.remove(_named(volume.name))
    notes = {"documented": "stays" if DOCUMENTED[f"{what}-{how}"] else "goes", "content": said}
    values = {"volumes.outlives": float(said == "same")}
    return InvocationResult(values, evidence, notes=notes | {"version": volumes.version()})


def _volumes_of(context: InvocationContext) -> VolumeStore:
    if not isinstance(context.engine, HasVolumes):
        msg = f"'{context.engine.target.text}' keeps no volumes"
        raise NotApplicable(msg)
    return context.engine.volumes


def _named(name: str) -> Bind:
    return Bind(DATA, Path(name), read_only=False, kind="volume")


def _written(
    context: InvocationContext, volumes: VolumeStore, what: str, *, with_volumes: bool
) -> tuple[Volume, dict[str, str]]:
    """Write the known content in a container, and remove the container; return the volume and the evidence."""
    name = f"{context.name}-{DATA}"
    bind = _named(name) if what == "named" else Bind(DATA, Path(name), read_only=False, kind="anonymous")
    spec = life.spec_of(context, ("--keep", _KEPT, "--sleep"), binds=(bind,))
    with life.living(context, spec) as (instance, channel), context.account.engine():
        said = channel.wait_line("S keep ", context.timeout_s, instance.alive).text
        if said != "S keep written":
            msg = f"the volume of '{instance.name}' cannot be written: {said.removeprefix('S keep ')}"
            raise InvocationFailed(msg)
        evidence = life.evidence_of(context, instance)
        volume = volumes.of(instance, bind)
        context.engine.stop(instance)
        volumes.remove_instance(instance, volumes=with_volumes)
    return volume, evidence


def _content(context: InvocationContext, volume: Volume) -> str:
    """Return what another container finds in the volume: ``same``, ``other`` or ``absent``."""
    spec = life.spec_of(context, ("--kept", _KEPT, "--sleep"), suffix="-again", binds=(_named(volume.name),))
    with life.living(context, spec) as (instance, channel), context.account.engine():
        return channel.wait_line("S kept ", context.timeout_s, instance.alive).text.removeprefix("S kept ")
