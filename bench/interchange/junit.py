"""Export JUnit XML: one test case per variant of a run, or per series of a comparison."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from bench import store
from bench.compare import Compared, wording
from bench.compare.nightly import Night
from bench.compare.verdicts import Comparison, Verdict
from bench.core.model import Status
from bench.core.units import significant
from bench.stats.series import Key

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent (section 2.2), such as terminal escapes in a tool's message."""

_FAILED = (Status.FAILED, Status.TIMEOUT)


def run(measured: store.Run) -> str:
    """Write a run: a case fails when one of its invocations failed, and is skipped when it could not be measured."""
    top = ET.Element("testsuites")
    outcomes = store.outcomes(measured)
    for scenario in measured.meta["scenarios"]:
        suite = ET.SubElement(top, "testsuite", name=scenario, hostname=str(measured.meta.get("host", "")))
        selected = outcomes[(outcomes["scenario"] == scenario) & ~outcomes["warmup"].astype(bool)]
        for (target, params), rows in selected.groupby(["target", "params"], sort=False):
            case = _case(suite, scenario, _variant(str(target), str(params)), float(rows["wall_s"].sum()))
            failed = rows[rows["status"].isin(_FAILED)]
            if len(failed):
                message = f"{len(failed)} of {len(rows)} invocations failed"
                _add(case, "failure", message, "\n".join(map(str, failed["reason"].unique())))
            elif (rows["status"] == Status.SKIPPED).all():
                _add(case, "skipped", str(rows["reason"].iloc[0]))
        for item in store.skipped(measured):
            if item.scenario == scenario:
                _add(_case(suite, scenario, item.target, 0.0), "skipped", f"{item.reason} ({item.remedy})")
        _count(suite)
    return _text(top)


def comparison(compared: Compared, *, fail_on_missing: bool = False) -> str:
    """Write a comparison: regressed is a failure, invalid an error, inconclusive skipped; notes are the suite's output.

    A series that the new side lacks is skipped, or with ``fail_on_missing`` a failure.
    """
    missing = compared.unmatched.base, "failure" if fail_on_missing else "skipped"
    return _series("tare.compare", compared.results, missing=missing, notes=wording.notes(compared))


def night(judged: Night) -> str:
    """Write a night: an alarm is a failure; an unconfirmed or acknowledged regression is skipped."""
    alarms = {id(one.comparison) for one in judged.alarms}
    return _series("tare.nightly", judged.results, {id(one.comparison) for one in judged.findings} - alarms)


def _series(
    name: str,
    results: Sequence[Comparison],
    quiet: AbstractSet[int] = frozenset(),
    *,
    missing: tuple[Sequence[Key], str] = ((), ""),
    notes: Sequence[str] = (),
) -> str:
    top = ET.Element("testsuites")
    suite = ET.SubElement(top, "testsuite", name=name)
    for one in results:
        case_name = _variant(one.metric, json.dumps(dict(one.params)))
        case = _case(suite, f"{one.scenario}.{one.target}", case_name, 0.0)
        tag = {Verdict.REGRESSED: "failure", Verdict.INVALID: "error", Verdict.INCONCLUSIVE: "skipped"}.get(one.verdict)
        if id(one) in quiet:
            tag = "skipped"
        if tag:
            _add(case, tag, _message(one), wording.reason(one))
    for scenario, target, params, metric in missing[0]:
        _add(_case(suite, f"{scenario}.{target}", _variant(metric, params), 0.0), missing[1], "only in the base")
    _count(suite)
    if notes:
        ET.SubElement(suite, "system-out").text = "\n".join(notes)
    return _text(top)


def _message(one: Comparison) -> str:
    if one.ratio is None or one.ci is None:
        return f"{one.verdict}: {wording.reason(one)}"
    ends = f"[{significant(one.ci.low, 4)}, {significant(one.ci.high, 4)}]"
    return f"{one.verdict}: new ÷ base {significant(one.ratio, 4)} {ends}, n = {one.n}"


def _variant(name: str, params: str) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in json.loads(params).items())
    return f"{name} ({labels})" if labels else name


def _case(suite: ET.Element, classname: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{seconds:.3f}")


def _add(case: ET.Element, tag: str, message: str, text: str = "") -> None:
    ET.SubElement(case, tag, message=message, type=tag).text = text


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))


def _text(top: ET.Element) -> str:
    ET.indent(top, " ")
    text = _NOT_XML.sub("\ufffd", ET.tostring(top, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
