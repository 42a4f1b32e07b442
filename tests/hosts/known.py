"""Defects of a release's own packages: they are shown and not counted, since no change of Tare's mends them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A defect: the release, the engine, and what the reason of a failure contains (a regular expression)."""

    suite: str
    engine: str
    says: str


KNOWN = (
    # runsc is of 2024 and finds its own goroutine by an offset that the Go it is built with no longer has.
    Known("sid", "runsc", r"panic: running on goroutine \d+"),
)


def is_known(suite: str, target: str, says: str) -> bool:
    """Say whether a failure is a known defect of that release."""
    engine = target.partition(":")[0]
    return any((one.suite, one.engine) == (suite, engine) and re.search(one.says, says) for one in KNOWN)
