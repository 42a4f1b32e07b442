"""The frame of all pages: templates, navigation, style sheet and script, shared with the report."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader

from bench import __version__
from bench.display import theme
from bench.report import html
from bench.site import names

PAGES = (
    ("index.html", "Overview"),
    ("runs.html", "Runs"),
    ("hosts.html", "Hosts"),
    ("targets.html", "Targets"),
    ("claims.html", "Claims"),
    ("coverage.html", "Coverage"),
    ("instrument.html", "Instrument"),
)
"""The pages that every page leads to."""

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; style-src-attr 'unsafe-inline'; "
    "img-src 'self' file:; base-uri 'none'; form-action 'none'"
)
"""The pages' content security policy: only the site's own style sheet, script and badges.

``file:`` is for browsers to which a page that is opened from a file is not the origin of its neighbours.
"""

_SOURCES = ("bench.site", "bench.report", "bench.display", "bench.compare", "bench.claims", "bench.stats", "bench.core")
"""Packages whose change may change a page."""


@cache
def environment() -> Environment:
    """Return the templates of the site and those that it shares with the report."""
    made = html.templates()
    made.loader = ChoiceLoader([PackageLoader("bench.site"), PackageLoader("bench.report")])
    made.globals |= {"pages": PAGES, "policy": POLICY, "version": __version__}
    return made


class Frame:
    """Renders pages, each of which knows the way to the site's folder."""

    def __init__(self) -> None:
        self._environment = environment()

    def page(self, template: str, path: str, title: str, **values: Any) -> str:
        """Return the text of a page."""
        found = self._environment.get_template(f"{template}.html.j2")
        return found.render(title=title, root=names.up(path), here=path, **values)

    def style(self) -> str:
        """Return the style sheet: the report's, and what the site adds."""
        parts = ("report.css", "site.css")
        return theme.css(":root") + "\n".join(self._environment.get_template(name).render() for name in parts)

    def script(self) -> str:
        """Return the script: the report's, and what the site adds."""
        return "\n".join(self._environment.get_template(name).render() for name in ("report.js", "site.js"))


@cache
def version() -> str:
    """Return a digest of all that makes the pages: with another one, all of them are made again."""
    found = hashlib.sha256(__version__.encode())
    for package in _SOURCES:
        for path in sorted(files(package).iterdir(), key=lambda one: one.name):
            parts = sorted(path.iterdir(), key=lambda one: one.name) if path.is_dir() else [path]
            for one in parts:
                if one.is_file() and one.name.endswith((".py", ".j2", ".css", ".js")):
                    found.update(one.read_bytes())
    return found.hexdigest()
