"""A health check as Docker's API and its command line write it: pure text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from bench.engines.base import HealthCheck
from bench.lab import images

START_INTERVAL_API = (1, 44)
"""First version of Docker's API with a start interval (Docker 25)."""


def command(check: HealthCheck) -> list[str]:
    """Return the probe's command line: the payload, which reports to the instance's channel."""
    return [images.PAYLOAD, "--events", f"unix:{images.EVENTS}", *check.arguments]


def config(check: HealthCheck) -> dict[str, object]:
    """Return the check as the API's ``Healthcheck``, which counts in nanoseconds."""
    program = ["CMD", *command(check)] if check.form == "cmd" else ["CMD-SHELL", _line(check)]
    found: dict[str, object] = {
        "Test": program,
        "Interval": _ns(check.interval_s),
        "Timeout": _ns(check.timeout_s),
        "Retries": check.retries,
        "StartPeriod": _ns(check.start_period_s),
    }
    if check.start_interval_s is not None:
        found["StartInterval"] = _ns(check.start_interval_s)
    return found


def options(check: HealthCheck) -> list[str]:
    """Return the check as options of ``docker create``, which always uses a shell.

    The shell form is the only one that the command line has.
    """
    found = ["--health-cmd", _line(check), "--health-interval", _text(check.interval_s)]
    found += ["--health-timeout", _text(check.timeout_s), "--health-retries", str(check.retries)]
    found += ["--health-start-period", _text(check.start_period_s)]
    if check.start_interval_s is not None:
        found += ["--health-start-interval", _text(check.start_interval_s)]
    return found


def evidence(inspected: Mapping[str, Any]) -> dict[str, str]:
    """Return the check that a daemon has recorded of a container, written as :attr:`HealthCheck.text` writes it."""
    found = inspected["Config"].get("Healthcheck")
    if not found:
        return {}
    form = {"CMD": "cmd", "CMD-SHELL": "shell"}.get(found["Test"][0], found["Test"][0])
    interval, timeout, period, start = (
        found.get(key, 0) / 10**9 for key in ("Interval", "Timeout", "StartPeriod", "StartInterval")
    )
    check = HealthCheck((), form, interval, timeout, found.get("Retries", 0), period, start or None)
    return {"health": check.text}


def _line(check: HealthCheck) -> str:
    """Return the shell's command, with the end that most checks have: the shell stays, as the probe's parent."""
    return f"{shlex.join(command(check))} || exit 1"


def _ns(seconds: float) -> int:
    return round(seconds * 10**9)


def _text(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
