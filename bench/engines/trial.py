"""Prove that an engine can run the payload here by running one instance: being installed proves nothing."""

from __future__ import annotations

from bench.core import proc
from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.engines.base import Bind, Engine, InstanceSpec
from bench.engines.life import Life, deleted
from bench.lab import Lab, events

_TIMEOUT_S = 30.0 * proc.PATIENCE


def run(engine: Engine, lab: Lab, binds: tuple[Bind, ...] = ()) -> None:
    """Create, start, wait until ready and delete one instance that sees these folders.

    Raises:
        TargetUnavailable: One of these steps failed.
    """
    spec = InstanceSpec(f"tare-{lab.short_id}-trial", lab.paths.run / "e" / "trial", timeout_s=_TIMEOUT_S, binds=binds)
    try:
        with (
            events.open_hub(lab.paths.state) as hub,
            hub.channel(spec.events, engine.channel) as channel,
            deleted(engine, spec.name),
        ):
            Life(engine, spec, channel, _TIMEOUT_S).run()
    except InvocationFailed as error:
        reason = f"'{engine.target.text}' is installed but cannot run the payload here: {error}"
        raise TargetUnavailable(reason, "see the message; run 'tare doctor' to try again") from error
