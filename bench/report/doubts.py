"""The doubts of a run, each with the numbers that it concerns, so that a page can put them beside these numbers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.core import summary_warnings as warned
from bench.core.model import NULL, Summary
from bench.core.summary_warnings import SummaryWarning
from bench.display import prose
from bench.display.data import RunData, params_key
from bench.display.wording import checks, warnings
from bench.report import sections
from bench.report.board import Board
from bench.stats import findings
from bench.stats.findings import Answer, Check, SeriesName

_OF_SERIES = (warned.FasterThanHost, warned.NoVariance, warned.PositionMatters)
"""Warnings of a single series that are a doubt of their own if no check tells them."""

_WORST = 60
"""Characters of a doubt that the first screen has room for."""


@dataclass(frozen=True)
class Doubt:
    """One doubt.

    Attributes:
        anchor: Its id in the page.
        title: What it is about, a few words.
        sentence: What was found and what it means.
        scenario: The scenario that it concerns; empty: the run.
        targets: Targets that it concerns.
        series: Series that it concerns. Without targets and series it concerns the whole scenario.
    """

    anchor: str
    title: str
    sentence: str
    scenario: str = ""
    targets: tuple[str, ...] = ()
    series: tuple[SeriesName, ...] = ()

    def of_target(self, scenario: str, target: str) -> bool:
        """Say whether it concerns everything about a target in a scenario."""
        return self.scenario in ("", scenario) and target in self.targets

    def of_series(self, found: Summary) -> bool:
        """Say whether it concerns this series and not the whole scenario."""
        name = SeriesName(found.target, found.metric, params_key(found.params))
        return self.scenario in ("", found.scenario) and name in self.series

    def of_scenario(self, scenario: str) -> bool:
        """Say whether it concerns the whole scenario."""
        return self.scenario == scenario and not self.targets and not self.series


def doubts(data: RunData, board: Board | None, prefix: str) -> list[Doubt]:
    """Return what may mislead, the most important first: the run's own warnings, emulation, checks, warnings of shown numbers."""
    told: list[_Told] = [("This run", text, "", (), ()) for text in data.run.warnings]
    told += [("In a guest", text, "", (), ())] if (text := sections.in_guest(data)) else []
    told += _emulated(data, board)
    found = [check for check in data.checks if check.answer is Answer.DOUBT]
    told += [_of_check(check, several=len(data.scenarios) > 1) for check in found]
    series = {one for check in found for one in _series(check.found)}
    told += _of_cells(board, series) if board else []
    return [Doubt(f"{prefix}-doubt-{number}", *one) for number, one in enumerate(told, 1)]


def worst(found: Sequence[Doubt]) -> str:
    """Return the first doubt in a few words: its title and the beginning of its sentence; empty without any."""
    if not found:
        return ""
    plain = re.sub(r" \([^()]*\)", "", found[0].sentence)
    start = re.split(r"(?<=[.;]) ", plain, maxsplit=1)[0].rstrip(".;")
    told = textwrap.shorten(f"{found[0].title}: {start}.", _WORST, placeholder=" …")
    return told.replace(": …", " …")


def undecided(data: RunData) -> str:
    """Say how many checks have too few blocks, and which command would decide them; empty without any."""
    found = [check for check in data.checks if check.answer is Answer.UNDECIDED]
    if not found:
        return ""
    needed = max(map(checks.needed_blocks, found))
    told = f"{len(found)} of {len(data.checks)} checks of the instrument are not decided"
    return (
        f"{told}: {needed} blocks would decide them ({sections.command(data, blocks=needed)})."
        if needed
        else f"{told}."
    )


_Told = tuple[str, str, str, tuple[str, ...], tuple[SeriesName, ...]]


def _emulated(data: RunData, board: Board | None) -> list[_Told]:
    targets = tuple(row.target for row in board.rows if row.emulated) if board and not data.inside else ()
    if not targets:
        return []
    tried = [
        text for target in targets if (text := str(data.meta.get("engines", {}).get(target, {}).get("accel_trial", "")))
    ]
    why = f" ({_cause(tried[0])})" if tried else ""
    are = "machine is" if len(targets) == 1 else "machines are"
    sentence = (
        f"The virtual {are} emulated by QEMU (TCG){why}: many times slower than with KVM, and not evenly so. "
        "What is marked as emulated says how long it takes here, not what a virtual machine costs."
    )
    return [("Emulated machines", sentence, "", targets, ())]


def _cause(text: str) -> str:
    """Shorten ``kvm: a trial boot ended with signal SIGABRT: what QEMU printed`` to what happened."""
    accelerator, _, rest = text.partition(": ")
    return f"{accelerator}: {rest.partition(': ')[0]}" if rest else text


def _of_check(check: Check, *, several: bool) -> _Told:
    title = checks.TITLES[check.name] + (f" ({check.scenario})" if several else "")
    return title, checks.answer(check), check.scenario, _targets(check.found), tuple(_series(check.found))


def _targets(found: findings.Found) -> tuple[str, ...]:
    match found:
        case findings.FailuresFound():
            return tuple(target for target, _ in found.targets)
        case findings.ModeFound():
            return tuple(one.target for one in found.mismatches)
        case _:
            return ()


def _series(found: findings.Found) -> Iterator[SeriesName]:
    match found:
        case findings.NullFound():
            yield from (SeriesName(NULL, pair.metric, pair.params) for pair in found.pairs if pair.apart)
        case findings.ExcessFound():
            yield from (one.series for one in found.found)
        case findings.VarianceFound():
            yield from (one.series for one in found.stuck)
        case findings.AgreementFound():
            yield from (one.series for pair in found.pairs if pair.apart for one in (pair.one, pair.two))
        case _:
            return


def _of_cells(board: Board, told: Iterable[SeriesName]) -> list[_Told]:
    """Return the warnings of the numbers on the scoreboard that no check tells, alike ones together."""
    known, groups = set(told), dict[tuple[str, str], list[Summary]]()
    for row in board.every:
        for cell in row.cells:
            if (
                cell.found
                and SeriesName(cell.found.target, cell.found.metric, params_key(cell.found.params)) not in known
            ):
                for warning in filter(_is_doubt, cell.found.warnings):
                    groups.setdefault((cell.found.scenario, warnings.text(warning)), []).append(cell.found)
    return [_of_warning(scenario, text, found) for (scenario, text), found in groups.items()]


def _is_doubt(warning: SummaryWarning) -> bool:
    return isinstance(warning, _OF_SERIES)


def _of_warning(scenario: str, text: str, found: Sequence[Summary]) -> _Told:
    names = tuple(SeriesName(one.target, one.metric, params_key(one.params)) for one in found)
    who = prose.joined(list(dict.fromkeys(one.target for one in found)), 3)
    return f"{who} ({scenario})", f"{text[:1].upper()}{text[1:]}.", scenario, (), names
