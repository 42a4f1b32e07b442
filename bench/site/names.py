"""Addresses of the site's files: readable, the same from one build to the next, and never two for one name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bench.display.data import slug

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
"""A name that is a file name as it is."""
_LONGEST = 60
_DIGITS = 6

BY_HAND = "by-hand"
"""Part of the address of series that are measured by hand, not in the nights of a suite."""


def part(name: str) -> str:
    """Return a name as a part of a path; one with other characters, or a long one, ends in its digest."""
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{slug(name)[:_LONGEST].strip('-')}-{digest}".strip("-")


def run(run_id: str) -> str:
    """Return the path of a run's page."""
    return f"runs/{part(run_id)}.html"


def host(name: str) -> str:
    """Return the path of a host's page."""
    return f"hosts/{part(name)}.html"


def target(name: str) -> str:
    """Return the path of a target's page."""
    return f"targets/{part(name)}.html"


@dataclass(frozen=True)
class SeriesName:
    """What names a series on the site.

    Attributes:
        host: Its host.
        suite: The suite whose nights measure it, empty for runs by hand.
        scenario: Scenario.
        target: Target.
        params: JSON text with sorted keys.
        metric: Metric.
    """

    host: str
    suite: str
    scenario: str
    target: str
    params: str
    metric: str

    @property
    def path(self) -> str:
        """The path of its page."""
        last = f"{part(self.target)}--{part(self.metric)}"
        if self.params not in ("", "{}"):
            last += f"--{part(self.params)}"
        return (
            f"series/{part(self.host)}/{part(self.suite) if self.suite else BY_HAND}/{part(self.scenario)}/{last}.html"
        )


def data(page: str) -> str:
    """Return the path of the JSON beside a page."""
    return page.removesuffix(".html") + ".json"


def up(page: str) -> str:
    """Return what leads from a page to the site's folder."""
    return "../" * page.count("/")


def comparison(base: str, new: str) -> str:
    """Return the folder of the comparison of two runs."""
    return f"compare/{part(base)}..{part(new)}"
