"""Text that Markdown and HTML reports share: checks, failures, evidence, facts of the host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.core.model import Status
from bench.display import prose
from bench.display.data import RunData, evidence_counts, params_text
from bench.display.wording import checks
from bench.stats.findings import Answer, Check, CheckName

NOTHING = "Nothing was measured: no invocation of this run ended with a value."


SYMBOLS = {Answer.FINE: "✓", Answer.DOUBT: "!", Answer.UNDECIDED: "?"}
"""Answer of a check → its symbol."""


@dataclass(frozen=True)
class Verdict:
    """One check in words: its title, its answer, and a sentence."""

    title: str
    answer: Answer
    sentence: str

    @property
    def word(self) -> str:
        """Symbol and word, readable without colour."""
        return f"{SYMBOLS[self.answer]} {self.answer}"


@dataclass(frozen=True)
class Ended:
    """Invocations of one target that ended in the same way: how, why and in which blocks."""

    scenario: str
    target: str
    status: str
    reason: str
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """Evidence of what really ran under a target's name.

    Attributes:
        target: ``Target.text``.
        items: Name and value, several values with their counts.
        count: Invocations with evidence.
        differing: Names whose value differs between invocations.
    """

    target: str
    items: tuple[tuple[str, str], ...]
    count: int
    differing: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """Whether every invocation ran the same thing, in words."""
        if self.differing:
            return f"! differs between invocations: {', '.join(self.differing)}"
        return f"✓ the same in all {self.count}" if self.count > 1 else "one invocation"


@dataclass(frozen=True)
class Fact:
    """A fact of the host or of the instrument; with ``epoch``, numbers are comparable only where it is equal."""

    name: str
    value: str
    epoch: bool


def when(data: RunData) -> str:
    """Return the start of the run: ``2026-11-01 08:15 UTC``."""
    text = str(data.meta.get("started_at", ""))
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text or "no date"


def title(runs: Sequence[RunData]) -> str:
    """Return the report's title."""
    hosts = list(dict.fromkeys(data.host for data in runs))
    return "What isolation costs on " + (hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts: {', '.join(hosts)}")


def in_guest(data: RunData) -> str:
    """Say that the whole run was in a guest and what that means for its numbers; empty for a run on the host."""
    if not data.inside:
        return ""
    known: Mapping[str, object] = data.meta.get("facts", {})
    kernel, outer = (str(known.get(name, "unknown")).split()[0] for name in ("kernel", "outer.kernel"))
    emulated = "emulated by QEMU, many times slower than the host and not evenly so" if "tcg" in data.inside else "KVM"
    return (
        f"Everything here was measured in the guest {data.inside} (kernel {kernel}; {emulated}), not on the host "
        f"(kernel {outer}): “host” is the guest. Compare these numbers with each other, never with those of a host."
    )


def headlines(data: RunData) -> list[str]:
    """Return one paragraph a scenario, or the sentence that nothing was measured."""
    found = [item.headline for item in data.scenarios if item.headline and not item.points.empty]
    return found or [NOTHING]


def verdicts(data: RunData) -> list[Verdict]:
    """Return the checks in words; with several scenarios, each doubt, and one line for what else a check came to."""
    if len({check.scenario for check in data.checks}) < 2:
        return [_verdict(check) for check in data.checks]
    doubts = [_verdict(check, f" ({check.scenario})") for check in data.checks if check.answer is Answer.DOUBT]
    return doubts + _grouped_checks(data.checks, Answer.UNDECIDED) + _grouped_checks(data.checks, Answer.FINE)


def _grouped_checks(found: Sequence[Check], answer: Answer) -> list[Verdict]:
    """Return one line for each check that has this answer in some scenarios, and the scenarios."""
    groups: dict[CheckName, list[Check]] = {}
    for check in found:
        if check.answer is answer:
            groups.setdefault(check.name, []).append(check)
    made = []
    for name, alike in groups.items():
        where = _some([check.scenario for check in alike])
        needed = max(filter(None, map(checks.needed_blocks, alike)), default=0)
        told = f"Fine in {where}." if answer is Answer.FINE else f"Not decided in {where}"
        told += f": {needed} blocks would decide it." if needed else "." * (answer is not Answer.FINE)
        made.append(Verdict(checks.TITLES[name], answer, told))
    return made


def nothing(data: RunData) -> bool:
    """Say whether the run has no value."""
    return all(item.points.empty for item in data.scenarios)


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (
        f" and {prose.plural(len(names) - most, 'more scenario')}" if len(names) > most else ""
    )


def _verdict(check: Check, ending: str = "") -> Verdict:
    return Verdict(checks.TITLES[check.name] + ending, check.answer, checks.answer(check))


def failures(data: RunData) -> list[Ended]:
    """Return the failed invocations, those of one target that failed alike on one line."""
    return _ended_as(data, Status.FAILED, Status.TIMEOUT)


def inapplicable(data: RunData) -> list[Ended]:
    """Return the invocations that were skipped because a target or this host cannot do them."""
    return _ended_as(data, Status.SKIPPED)


def _ended_as(data: RunData, *statuses: Status) -> list[Ended]:
    rows = data.outcomes[data.outcomes["status"].isin(statuses)]
    columns = ("scenario", "target", "params", "status", "reason", "block", "warmup")
    return _grouped(rows[list(columns)].itertuples(index=False, name=None))


def flags(data: RunData) -> list[Ended]:
    """Return the flags of measured samples."""
    columns = ["scenario", "target", "params", "flags", "block", "warmup"]
    flagged = data.outcomes.loc[[bool(one) for one in data.outcomes["flags"].tolist()], columns]
    return _grouped(
        (*names, "flagged", flag, *place)
        for *names, found, block, warmup in flagged.itertuples(index=False, name=None)
        for place in [(block, warmup)]
        for flag in (found if isinstance(found, (list, tuple)) else ())
    )


def _grouped(rows: Iterable[tuple[Any, ...]]) -> list[Ended]:
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for scenario, target, params, status, reason, block, warmup in rows:
        name = f"{target} ({params_text(params)})" if params_text(params) else str(target)
        blocks = groups.setdefault((str(scenario), name, str(status), str(reason)), [])
        blocks.append(f"{block} (warm-up)" if warmup else str(block))
    return [Ended(*key, tuple(blocks)) for key, blocks in groups.items()]


def evidence(data: RunData) -> list[Evidence]:
    """Return one row for each target with evidence, in the order of the tables."""
    order = dict.fromkeys(item.target for scenario in data.scenarios for item in scenario.variants)
    return [row for target in order if (row := _evidence(data, target)).items]


def _evidence(data: RunData, target: str) -> Evidence:
    found = evidence_counts(data.outcomes, target)
    count = max((sum(values.values()) for values in found.values()), default=0)
    items = tuple((name, _values(values)) for name, values in found.items())
    return Evidence(target, items, count, tuple(name for name, values in found.items() if len(values) > 1))


def _values(found: Mapping[str, int]) -> str:
    """Write one value, or several with their counts."""
    if len(found) == 1:
        return short(next(iter(found)))
    return ", ".join(f"{short(value)} ({times}×)" for value, times in found.items())


def short(text: str) -> str:
    """Shorten digests to twelve digits; outcomes.jsonl and run.json have them in full."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1…", text)


def facts(data: RunData) -> list[Fact]:
    """Return the host's facts, and what stamped the events."""
    epoch = set(data.meta.get("epoch", ()))
    values: Mapping[str, object] = data.meta.get("facts", {})
    stamps: Mapping[str, object] = data.meta.get("instrument", {})
    found = [Fact(str(name), short(str(value)), name in epoch) for name, value in values.items()]
    return found + [Fact(f"instrument.{name}", short(str(value)), epoch=True) for name, value in stamps.items()]


def engines(data: RunData) -> list[tuple[str, str]]:
    """Return each target with the facts of its engine on one line."""
    found: Mapping[str, Mapping[str, object]] = data.meta.get("engines", {})
    return [
        (str(target), " · ".join(f"{name} {short(str(value))}" for name, value in values.items()))
        for target, values in found.items()
    ]


def command(data: RunData, blocks: int | None = None) -> str:
    """Return the command line that reproduces the plan, or with ``blocks`` the one that measures that many blocks."""
    words = [str(word) for word in data.meta.get("command", ())]
    if words and words[0].rpartition("/")[2] == "tare":
        words = words[1:]
    if blocks is not None:
        return shlex.join(["tare", *_without_blocks(words), "--blocks", str(blocks)])
    seeded = any(word == "--seed" or word.startswith("--seed=") for word in words)
    seed = data.meta.get("seed")
    return shlex.join(["tare", *words, *([] if seeded or seed is None else ["--seed", str(seed)])])


def _without_blocks(words: Sequence[str]) -> list[str]:
    kept = [word for word in words if not word.startswith("--blocks=")]
    if "--blocks" in kept:
        at = kept.index("--blocks")
        del kept[at : at + 2]
    return kept
