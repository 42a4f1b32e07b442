"""Sentences made of the facts of a comparison; no decision reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bench.compare.sides import difference_text, unmatched_text
from bench.compare.verdicts import Compared, Comparison, Reason, Tie, TieKind, Verdict
from bench.core.units import format_value, significant
from bench.display import prose
from bench.display.wording import checks
from bench.stats.findings import CheckName

CHANGES = (Verdict.REGRESSED, Verdict.SLOWER, Verdict.IMPROVED, Verdict.FASTER)
"""Verdicts of a clear difference."""

FORCED = "FORCED: "
"""What the note on a difference begins with that nobody asked to compare."""


_EXPLAINED: Mapping[CheckName, str] = {
    CheckName.NULL: "the A/A control's own difference",
    CheckName.POSITION: "the effect of the place in the block",
    CheckName.SENTINEL: "the drift of the host",
}
"""Check → what it found, with which a change is compared."""


def reason(one: Comparison) -> str:
    """Say why a comparison has its verdict."""
    return _REASONS[one.reason](one)


def brief(one: Comparison) -> str:
    """Say the same in a few words where :func:`notes` has the whole reason, which many series of a scenario share."""
    if one.reason is Reason.CHECK_FAILED and one.doubt:
        return f"in doubt, no larger than {_EXPLAINED[one.doubt.name]}"
    return "the host changed" if one.reason is Reason.HOST_CHANGED else reason(one)


def doubt(one: Comparison) -> str:
    """Say why a verdict stands although its scenario is in doubt; empty without a doubt."""
    if one.doubt is None or one.verdict in (Verdict.INVALID, Verdict.INCONCLUSIVE):
        return ""
    return f"larger than {_EXPLAINED[one.doubt.name]}, which is in doubt"


def beside(one: Comparison) -> str:
    """Return what stands beside a verdict in a table: its reason where it needs one, and its doubt."""
    plain = one.verdict in CHANGES or one.verdict is Verdict.UNCHANGED
    return "; ".join(filter(None, ("" if plain else brief(one), doubt(one))))


def notes(compared: Compared) -> list[str]:
    """Say what must be read with a comparison: how strong it is, what only one side has, what was forced."""
    told = [f"{FORCED}{difference_text(one)}" for one in compared.forced]
    told += [f"compared: {difference_text(one)}" for one in compared.factors]
    told += [f"the runs differ in the engine of {difference_text(one)}" for one in compared.engines]
    alone = unmatched_text(compared.unmatched)
    return [
        *told,
        _tie(compared.tie),
        *([alone] if alone else []),
        *_beside(compared),
        *(f"{scenario}: {text}" if scenario else text for scenario, text in doubts(compared)),
        *compared.damage,
    ]


def _beside(compared: Compared) -> list[str]:
    """Say in what the sides differ beside what is compared, as far as that is known."""
    told = [
        f"EMULATED: {name} runs under QEMU's TCG: its numbers are those of the emulator" for name in compared.emulated
    ]
    if compared.evidence:
        told.append(
            f"these differ in addition to what is compared: {'; '.join(map(difference_text, compared.evidence))}"
        )
    if compared.left_out:
        told.append(
            f"earlier runs with other parameters are not in the base: {'; '.join(map(difference_text, compared.left_out))}"
        )
    if compared.unrecorded:
        told.append(
            f"unknown whether the defaults of parameters were the same: {_first(compared.unrecorded)} did not record them"
        )
    if compared.unstamped:
        told.append(
            f"unknown whether events were stamped in the same way: {_first(compared.unstamped)} did not record how"
        )
    return told


def _first(names: Sequence[str]) -> str:
    """Name the first of several."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def doubts(compared: Compared) -> list[tuple[str, str]]:
    """Return each doubt once: its scenario (empty for all), and the sentence with how many series it concerns."""
    changed = [one for one in compared.results if one.reason is Reason.HOST_CHANGED]
    told = [("", f"{reason(changed[0])}: {_series(len(changed))} invalid")] if changed else []
    counts: dict[tuple[str, str], Counter[bool]] = {}
    for one in compared.results:
        if one.doubt and one.verdict is not Verdict.INCONCLUSIVE:
            at = one.scenario, checks.sentence(one.doubt)
            counts.setdefault(at, Counter())[one.verdict is Verdict.INVALID] += 1
    for (scenario, sentence), count in counts.items():
        parts = [f"{_series(count[True])} invalid"] * bool(count[True])
        parts += [f"{_series(count[False])} beyond it"] * bool(count[False])
        told.append((scenario, f"{', '.join(parts)}. {sentence}"))
    return told


def _series(count: int) -> str:
    return f"{count} series"


def _tie(tie: Tie) -> str:
    if tie.kind is TieKind.PAIRED:
        return "paired block by block within one run"
    kind = {
        TieKind.SEVERAL_RUNS: f"{tie.runs} earlier runs as one base",
        TieKind.ONE_IMPORT: "one import that names no blocks",
    }.get(tie.kind, "two runs")
    if tie.change is None or tie.ci is None:
        sides = f"{tie.blocks[0]} and {tie.blocks[1]} blocks have it"
        return (
            f"{kind}, not paired, and no sentinel ties them ({sides}): a changed host would look like a changed program"
        )
    ratio, low, high = (significant(value, 4) for value in (tie.change, tie.ci.low, tie.ci.high))
    apart = ", and by how far those runs differ" if tie.runs > 1 else ""
    widened = f"every interval is widened by it{apart}"
    return f"{kind}, not paired: tied by the sentinel alone, new ÷ base {ratio} [{low}, {high}]; {widened}"


def _host_changed(one: Comparison) -> str:
    return f"the sentinel says that the host changed by more than {round(100 * one.numbers['limit'])} %"


def _check_failed(one: Comparison) -> str:
    return checks.sentence(one.doubt) if one.doubt else ""


def _too_few(one: Comparison) -> str:
    where = "in both" if one.reason is Reason.TOO_FEW_PAIRS else "on each side"
    return f"{one.n} blocks are too few for an interval: {one.numbers['needed']:.0f} {where} are needed"


def _exact(one: Comparison) -> str:
    note = "; it varies within a side, which a number without noise should not" if one.numbers["varied"] else ""
    same = one.reason is Reason.EXACTLY_SAME
    return f"exactly the same{note}" if same else f"a number without noise: any change counts{note}"


def _threshold(one: Comparison) -> str:
    return f"{significant(100 * one.numbers['threshold'], 2)} %"


def _floor(one: Comparison) -> str:
    return format_value(one.numbers["floor"], one.unit)


def _lost(one: Comparison) -> str:
    q = significant(one.q or 0.0, 2)
    return f"not after the correction over its family (q = {q}): more blocks are needed to believe it"


def _more_timeouts(one: Comparison) -> str:
    more = f"{one.numbers['timeouts']:.0f} more time-outs"
    return f"the new side has {more}: what is left of it are its quicker blocks"


def _imprecise(one: Comparison) -> str:
    half, blocks = one.numbers.get("half_width"), one.numbers.get("blocks")
    if half is None:
        return "the interval holds both no change and one that counts"
    advice = f"; about {blocks:.0f} blocks would tell" if blocks is not None else ""
    return f"the interval (±{significant(100 * half, 2)} %) holds both no change and one that counts{advice}"


def _failure_rates(one: Comparison) -> str:
    numbers = one.numbers
    counts = " and ".join(f"{numbers[f'{side}_failures']:.0f} of {numbers[f'{side}_attempts']:.0f}" for side in _SIDES)
    spans = " and ".join(_span(numbers, side) for side in _SIDES if f"{side}_low" in numbers)
    return f"{counts} invocations failed, base and new ({spans}); exact test, p = {significant(numbers['p'], 2)}"


def _span(numbers: Mapping[str, float], side: str) -> str:
    return f"[{prose.percent(numbers[f'{side}_low'])}, {prose.percent(numbers[f'{side}_high'])}]"


_SIDES = ("base", "new")

_REASONS: Mapping[Reason, Callable[[Comparison], str]] = {
    Reason.HOST_CHANGED: _host_changed,
    Reason.CHECK_FAILED: _check_failed,
    Reason.NO_VALUES: lambda _: "neither side has a value",
    Reason.ONE_SIDE_EMPTY: lambda _: "one side has no value",
    Reason.TOO_FEW_PAIRS: _too_few,
    Reason.TOO_FEW_BLOCKS: _too_few,
    Reason.EXACTLY_SAME: _exact,
    Reason.EXACT_CHANGE: _exact,
    Reason.WITHIN_THRESHOLD: lambda one: f"the whole interval is within ±{_threshold(one)}",
    Reason.WITHIN_FLOOR: lambda one: f"the whole interval is within ±{_floor(one)}, the least that counts",
    Reason.CLEAR_CHANGE: lambda _: "the interval leaves no change out, and the change is large enough to count",
    Reason.BELOW_THRESHOLD: lambda one: f"a change, but smaller than {_threshold(one)}",
    Reason.BELOW_FLOOR: lambda one: f"a change, but smaller than {_floor(one)}",
    Reason.LOST_TO_CORRECTION: _lost,
    Reason.MORE_TIMEOUTS: _more_timeouts,
    Reason.IMPRECISE: _imprecise,
    Reason.FAILURE_RATES: _failure_rates,
}
"""Reason → what writes its sentence."""
