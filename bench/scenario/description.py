"""Descriptions of scenarios: Jinja templates that are filled in with what the plan measures, so that they tell nothing else.

``{{ milliseconds }}`` is a parameter in force: its value with its unit, or its values as a list. ``targets`` and ``engines`` are
those that are measured, for ``{% if 'docker' in targets %}`` and ``{% if 'podman' in engines %}``; a parameter's values can be
asked for in the same way, ``{% if 'read' in limit %}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench import benchmarks
from bench.core.model import ParamValue, Scenario
from bench.core.units import format_value

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_UNITS = (("_bytes", "bytes", 1.0), ("_s", "s", 1.0), ("milliseconds", "s", 1e-3), ("seconds", "s", 1.0))
"""How the names of parameters end, the unit and its factor."""


class Values(tuple[ParamValue, ...]):
    """The values of one parameter; as text a list of them with their unit."""

    texts: Sequence[str]

    @classmethod
    def of(cls, name: str, values: Sequence[ParamValue]) -> Values:
        """Return the values of a parameter of this name."""
        found = cls(values)
        found.texts = [_text(name, value) for value in values]
        return found

    def __str__(self) -> str:
        """Write ``1, 10 and 50``."""
        *first, last = self.texts or [""]
        return f"{', '.join(first)} and {last}" if first else last


def of(scenario: Scenario) -> str:
    """Return the description of what a scenario measures, on one line.

    Raises:
        jinja2.TemplateError: The template is invalid.
    """
    if "{" not in scenario.description:
        return scenario.description
    text = _environment().from_string(scenario.description).render(_known(scenario))
    return " ".join(text.split())


def mistake(text: str, measure: str) -> str:
    """Return what is wrong with the template of a benchmark's scenario; empty if nothing is."""
    if "{" not in text:
        return ""
    from jinja2 import TemplateError, meta  # noqa: PLC0415 - most descriptions of users are plain text

    defaults = {name: Values.of(name, [one.default]) for name, one in benchmarks.get(measure).params.items()}
    known = {"targets": [], "engines": [], **defaults}
    try:
        unknown = meta.find_undeclared_variables(_environment().parse(text)) - set(known)
        if not unknown:
            _environment().from_string(text).render(known)
            return ""
    except (TemplateError, TypeError) as error:
        return f"the description is not a valid template: {error}"
    listed = ", ".join(f"'{name}'" for name in sorted(unknown))
    return f"the description uses {listed}; it can use: {', '.join(sorted(known))}"


def in_force(scenario: Scenario) -> dict[str, list[ParamValue]]:
    """Return the values of every parameter of a scenario, with the defaults of those that it does not set."""
    defaults = benchmarks.with_defaults(scenario.procedure, {})
    return {name: list(scenario.params.get(name, (value,))) for name, value in defaults.items()}


def _known(scenario: Scenario) -> Mapping[str, object]:
    return {
        "targets": [target.text for target in scenario.targets],
        "engines": [target.engine for target in scenario.targets],
        **{name: Values.of(name, values) for name, values in in_force(scenario).items()},
    }


def _text(name: str, value: ParamValue) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for ending, unit, factor in _UNITS:
            if name.endswith(ending):
                number, space, prefix = format_value(value * factor, unit).partition(" ")
                return f"{number.rstrip('0').rstrip('.') if '.' in number else number}{space}{prefix}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - see above
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

    # Nothing here is HTML: what shows a description escapes it.
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
