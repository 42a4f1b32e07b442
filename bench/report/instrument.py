"""The checks of a run as a table: a row a scenario, a column a check."""

from __future__ import annotations

from dataclasses import dataclass

from bench.display.data import RunData
from bench.display.wording import checks
from bench.report.sections import SYMBOLS
from bench.stats.findings import Answer, Check, CheckName


@dataclass(frozen=True)
class Answered:
    """A check of one scenario in a table: its symbol, its sentence, and the CSS class of its answer; empty if not made."""

    symbol: str = ""
    sentence: str = ""
    style: str = ""


@dataclass(frozen=True)
class CheckedScenario:
    """The checks of one scenario, in the order of :attr:`Matrix.names`."""

    scenario: str
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class Matrix:
    """All checks of a run: a row a scenario, a column a check."""

    names: tuple[str, ...]
    rows: tuple[CheckedScenario, ...]


def matrix(data: RunData) -> Matrix:
    """Return the checks of a run as a table."""
    made = {(check.scenario, check.name): check for check in data.checks}
    names = [name for name in CheckName if any(check.name is name for check in data.checks)]
    rows = tuple(
        CheckedScenario(scenario, tuple(_answered(made.get((scenario, name))) for name in names))
        for scenario in dict.fromkeys(check.scenario for check in data.checks)
    )
    return Matrix(tuple(checks.TITLES[name] for name in names), rows)


_STYLES = {Answer.FINE: "good", Answer.DOUBT: "doubt", Answer.UNDECIDED: "quiet"}


def _answered(check: Check | None) -> Answered:
    if check is None:
        return Answered()
    return Answered(SYMBOLS[check.answer], checks.answer(check), _STYLES[check.answer])
