"""Damaged runs, wrong names and wrong files: one sentence with the location, the documented exit code, other runs unaffected."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import store
from bench.cli import run
from tests.synthetic_pairs import write

EXIT_CODES = (0, 1, 2, 3, 4, 5)
"""Documented exit codes of commands that only read; 70 would be a bug of Tare, 130 an interruption."""

A, B, C = (f"2026010{day}T000000Z-{day * 11111111:08x}" for day in (1, 2, 3))
"""Ids of the three runs; B is the one that gets damaged."""

M, OUT, R, P = store.MEASUREMENTS, store.OUTCOMES, "run.json", "plan.json"
ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(7)

Damage = Callable[[Path], object]
"""Damages a run, given its folder."""


def noisy(median: float) -> list[float | None]:
    return [float(median * np.exp(0.01 * z)) for z in RNG.normal(size=8)]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("healthy") / "results"
    for day, name in enumerate((A, B, C), 1):
        medians = {"host": 0.1, "runc": 0.2, "docker:network=host": 0.3, "docker:network=none": 0.25}
        values = {target: noisy(median) for target, median in medians.items()}
        write(folder, name, values, sentinel=noisy(0.04), started_at=f"2026-01-0{day}T00:00:00+00:00")
    return folder


@pytest.fixture
def results(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(healthy, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


@pytest.fixture
def tare(results: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return the command line on ``results``: it gives the exit code and all output joined into one line."""

    def call(*arguments: str) -> tuple[int, str]:
        code = run([*arguments, "--results", str(results)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, " ".join((captured.out + captured.err).split())

    return call


def lines(name: str, change: Callable[[int, dict[str, Any]], dict[str, Any] | None]) -> Damage:
    """Change each line of a file, or delete it (``None``)."""

    def damage(folder: Path) -> None:
        path = folder / name
        changed = [change(place, json.loads(line)) for place, line in enumerate(path.read_text().splitlines())]
        path.write_text("".join(json.dumps(one) + "\n" for one in changed if one is not None))

    return damage


def fourth(name: str, **fields: object) -> Damage:
    """Change fields of the fourth line."""
    return lines(name, lambda place, line: {**line, **fields} if place == 3 else line)


def head(**keys: object) -> Damage:
    """Change keys of run.json."""

    def damage(folder: Path) -> None:
        meta = json.loads((folder / R).read_text())
        (folder / R).write_text(json.dumps({**meta, **keys}))

    return damage


def content(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data)


def cut(name: str, by: int) -> Damage:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - by)


def all_of(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def as_folder(name: str) -> Damage:
    return all_of(lambda folder: (folder / name).unlink(), lambda folder: (folder / name).mkdir())


def as_loop(name: str) -> Damage:
    return all_of(lambda folder: (folder / name).unlink(), lambda folder: (folder / name).symlink_to(name))


def as_fifo(name: str) -> Damage:
    return all_of(lambda folder: (folder / name).unlink(), lambda folder: os.mkfifo(folder / name))


def without(name: str, *places: int) -> Damage:
    """Lose whole lines, counted from 0."""
    return lines(name, lambda place, line: None if place in places else line)


def instead(make: Damage) -> Damage:
    """Replace the folder by something else."""
    return all_of(shutil.rmtree, make)


def older_outcomes(folder: Path) -> None:
    """Write the outcomes as a Tare that did not count measurements."""
    lines(OUT, lambda _, one: {key: value for key, value in one.items() if key != "measurements"})(folder)


def ended(status: str, target: str = "") -> Damage:
    """Give every invocation, or those of one target, another status and no measurement."""

    def other(line: dict[str, Any]) -> bool:
        return line["target"] != target if target else False

    return all_of(
        lines(OUT, lambda _, line: line if other(line) else {**line, "status": status, "reason": "boom"}),
        lines(M, lambda _, line: line if other(line) else None),
    )


BROKEN: Sequence[tuple[str, Damage, str]] = (
    ("no run.json", lambda folder: (folder / R).unlink(), "has no run.json: it is not a run"),
    ("empty run.json", content(R, b""), "run.json cannot be read"),
    ("half of run.json", cut(R, 400), "run.json cannot be read"),
    ("binary run.json", content(R, bytes(range(256))), "run.json cannot be read"),
    ("deep run.json", content(R, b"[" * 100_000), "nested too deeply"),
    ("half a character in run.json", head(host="\ud800"), "run.json cannot be read"),
    ("run.json is a list", content(R, b"[]"), "not a run of Tare"),
    ("run.json is a folder", as_folder(R), "Is a directory"),
    ("run.json is a loop", as_loop(R), "run.json cannot be read (Too many levels of symbolic links)"),
    ("a file instead of the folder", instead(lambda folder: folder.write_text("")), f"no run '{B}'"),
    ("an empty folder", instead(lambda folder: folder.mkdir()), "has no run.json: it is not a run"),
    ("a folder that is a loop", instead(lambda folder: folder.symlink_to(folder.name)), "no run"),
    ("another tool's", content(R, b'{"benchmarks": []}'), "schema version None, this Tare reads 1 to"),
    ("newer schema", head(schema_version=99), "schema version 99, this Tare reads 1 to 1: use a newer Tare"),
    ("older schema", head(schema_version=0), "schema version 0"),
    ("schema that is not a number", head(schema_version=True), "schema version True"),
    ("no id", head(run_id=None), "'run_id' is null, allowed is a name without '/'"),
    ("id that is a path", head(run_id="../x"), "'run_id' is \"../x\""),
    ("scenarios are none", head(scenarios=[1]), "'scenarios' is [1], allowed is an object of objects"),
    ("a scenario is none", head(scenarios={"startup": 3}), "allowed is an object of objects"),
    ("targets are none", head(scenarios={"startup": {"targets": "host"}}), "scenario 'startup': 'targets' is \"host\""),
    ("primary is none", head(scenarios={"startup": {"primary": None}}), "scenario 'startup': 'primary' is null"),
    ("facts are none", head(facts=["kernel"]), "'facts' is [\"kernel\"]"),
    ("epoch is none", head(epoch=3), "'epoch' is 3, allowed is a list of texts"),
    ("engines are none", head(engines={"host": 1}), "'engines' is"),
    ("tags are none", head(tags="baseline"), "'tags' is \"baseline\""),
    ("skipped is none", head(skipped=[{}]), "skipped: there is no 'scenario'"),
    ("fingerprint is none", head(fingerprint=[1]), "'fingerprint' is [1], allowed is text"),
)  # fmt: skip
"""Damage to run.json: every command that names this run fails."""

INVALID_LINES: Sequence[tuple[str, Damage, str]] = (
    ("no JSON", content(M, b"\0" * 9 + b"\n"), f"{M}:1: not a line of JSON"),
    ("no JSON in outcomes", content(OUT, b"oops\n"), f"{OUT}:1: not a line of JSON"),
    ("no object", content(M, b"[1]\n"), f"{M}:1: a JSON object was expected, found list"),
    ("no UTF-8", content(M, b'{"a": "\xe9"}\n'), f"{M}:1: not a line of JSON"),
    ("deep", content(M, b"[" * 100_000 + b"\n"), f"{M}:1: not a line of JSON"),
    ("number of 5000 digits", content(M, b'{"value": ' + b"9" * 5000 + b"}\n"), f"{M}:1: not a line of JSON"),
    ("half a character", fourth(M, target="\ud800"), f"{M}:4: not a line of JSON"),
    ("a folder", as_folder(M), "Is a directory"),
    ("a loop", as_loop(OUT), "Too many levels of symbolic links"),
    ("no value", lines(M, lambda n, one: one if n != 3 else {k: v for k, v in one.items() if k != "value"}), f"{M}:4: there is no 'value'"),
    ("text as value", fourth(M, value="0.1"), f"{M}:4: 'value' is \"0.1\", allowed is a number"),
    ("null as value", fourth(M, value=None), "'value' is null"),
    ("true as value", fourth(M, value=True), "'value' is true"),
    ("huge whole number", fourth(M, value=10**400), f"{M}:4: 'value' is 1000"),
    ("huge number", fourth(M, value=1e308), "between 1e-100 and 1e100"),
    ("tiny number", fourth(M, value=5e-324), "between 1e-100 and 1e100"),
    ("another unit", fourth(M, unit="ms"), f"{M}:4: 'startup.ready_s' is in 'ms', and must be in 's'"),
    ("two units of an unknown metric", all_of(fourth(M, metric="x.y"), lines(M, lambda n, one: {**one, "metric": "x.y", "unit": "B"} if n == 9 else one)), f"{M}:10: 'x.y' is in 'B'"),
    ("params are a list", fourth(M, params=[1]), "'params' is [1], allowed is an object of texts and numbers"),
    ("params in params", fourth(M, params={"a": {"b": 1}}), "'params' is"),
    ("NaN in params", fourth(M, params={"a": float("nan")}), "'params' is"),
    ("block is text", fourth(M, block="1"), "'block' is \"1\", allowed is a whole number"),
    ("block is huge", fourth(M, block=2**60), "'block' is"),
    ("warmup is text", fourth(M, warmup="no"), "allowed is true or false"),
    ("unknown status", fourth(OUT, status="exploded"), f"{OUT}:4: 'status' is \"exploded\", allowed is one of ok, failed, timeout, skipped"),
    ("reason is a number", fourth(OUT, reason=3), f"{OUT}:4: 'reason' is 3"),
    ("evidence is text", fourth(OUT, evidence="x"), f"{OUT}:4: 'evidence' is \"x\""),
    ("invocation is text", fourth(OUT, invocation="1"), f"{OUT}:4: 'invocation' is \"1\""),
)  # fmt: skip
"""Damage to lines: every command that reads the numbers refuses the run and names the line."""

NAMING = ("show", "compare A", "pair", "export", "report", "tag")


def arguments(command: str) -> list[str]:
    """Return the command line that names run B."""
    return {
        "show": ["show", B, "--all"],
        "one screen": ["show", B],
        "show --json": ["show", B, "--json"],
        "compare A": ["compare", A, B],
        "compare B A": ["compare", B, A, "--json"],
        "pair": ["compare", f"{B}@host", f"{B}@runc"],
        "export": ["export", B, "--format", "csv"],
        "report": ["report", B, "-o", "out"],
        "tag": ["tag", B, "a=b"],
    }[command]


def check_other_runs(tare: Callable[..., tuple[int, str]]) -> None:
    code, said = tare("compare", A, C)
    assert (code, "4 unchanged" in said) == (0, True)
    code, said = tare("trend")
    assert (code, "4 series over 2 runs" in said) == (0, True)


@pytest.mark.parametrize(("damage", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_run_with_damaged_run_json_is_refused_and_others_still_work(
    results: Path, tare: Callable[..., tuple[int, str]], damage: Damage, words: str
) -> None:
    damage(results / B)
    for command in NAMING:
        code, said = tare(*arguments(command))
        assert (code, words in said) == (2, True), f"{command}: {said}"
    check_other_runs(tare)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("damage", "words"), [case[1:] for case in INVALID_LINES], ids=[case[0] for case in INVALID_LINES]
)
def test_run_with_an_invalid_line_is_refused_with_its_location_and_others_still_work(
    results: Path, tare: Callable[..., tuple[int, str]], damage: Damage, words: str
) -> None:
    damage(results / B)
    before = {path.name: path.read_bytes() for path in (results / B).glob("*.json")}
    for command in ("show", "compare A", "compare B A", "pair", "report"):
        code, said = tare(*arguments(command))
        assert (code, words in said) == (2, True), f"{command}: {said}"
    if M in words:
        assert "left out: " in tare("trend")[1]
    assert tare("compare", A, C)[0] == 0
    assert before == {path.name: path.read_bytes() for path in (results / B).glob("*.json")}


READABLE: Sequence[tuple[str, Damage, str, int, str]] = (
    ("nothing wrong", lambda _: None, "compare A", 0, "4 unchanged"),
    ("byte order mark", lambda f: (f / R).write_bytes(b"\xef\xbb\xbf" + (f / R).read_bytes()), "compare A", 0, "4 unchanged"),
    ("line ends of another system", lambda f: (f / M).write_bytes((f / M).read_bytes().replace(b"\n", b"\r\n")), "compare A", 0, "4 unchanged"),
    ("torn measurement", cut(M, 30), "compare A", 0, f"{M} was cut off within a line"),
    ("torn outcome", cut(OUT, 30), "show", 0, "1 of 40 invocations are missing from outcomes.jsonl"),
    ("torn outcome, exported", cut(OUT, 30), "export", 0, f"! {B}: {OUT} was cut off within a line"),
    ("no outcomes", lambda f: (f / OUT).unlink(), "compare A", 2, f"'{B}' has no value (invocations: none)"),
    ("no measurements, compared", lambda f: (f / M).unlink(), "compare A", 2, f"'{B}' has no value (invocations: 32 ok)"),
    ("no measurements", lambda f: (f / M).unlink(), "show", 2, f"all 40 measurements are missing from {M}"),
    ("no measurements, exported", lambda f: (f / M).unlink(), "export", 2, f"all 40 measurements are missing from {M}"),
    ("no outcomes, shown", lambda f: (f / OUT).unlink(), "show", 2, f"{OUT} has no line left"),
    ("no measurements of an older Tare", all_of(lambda f: (f / M).unlink(), older_outcomes), "show", 0, "ended well but gave none"),
    ("a lost line", without(M, 3), "show", 0, f"1 of 40 measurements are missing from {M}: lines of startup docker:network=none (block 0) were lost; restore"),
    ("lost lines", without(M, *range(10, 20)), "show", 0, "lines of startup host (blocks 2 to 3), startup runc (blocks 2 to 3)"),
    ("lost lines, in JSON", without(M, 3), "show --json", 0, f"! {B}: 1 of 40 measurements are missing"),
    ("lost lines, compared", without(M, 3), "compare A", 0, f"! {B}: 1 of 40 measurements are missing"),
    ("lost lines of an older Tare", all_of(without(M, 3), older_outcomes), "show", 0, "host"),
    ("a lost outcome", without(OUT, 3), "show", 0, f"{OUT} has no line for invocation 3, which has measurements"),
    ("measurements are a FIFO", as_fifo(M), "show", 2, f"{M}' cannot be read: Is not a regular file"),
    ("outcomes are a FIFO", as_fifo(OUT), "compare A", 2, f"{OUT}' cannot be read: Is not a regular file"),
    ("plan is a FIFO", as_fifo(P), "show", 0, "plan.json cannot be read"),
    ("no plan", lambda f: (f / P).unlink(), "show", 0, "plan.json cannot be read"),
    ("plan is an object", content(P, b"{"), "compare A", 0, "plan.json cannot be read"),
    ("interrupted", head(state="interrupted"), "compare A", 0, "the run did not finish (state: interrupted)"),
    ("state of another time", head(state="paused"), "show --json", 0, "did not finish (state: paused)"),
    ("no scenarios", head(scenarios={}), "compare A", 0, "4 unchanged"),
    ("unknown procedure", head(scenarios={"startup": {"procedure": "telepathy", "targets": ["host"], "baseline": "host", "primary": []}}), "show", 0, "host"),
    ("keys of a newer Tare", all_of(fourth(M, colour="red"), fourth(OUT, colour="red"), head(colour="red")), "compare A", 0, "4 unchanged"),
    ("outcomes of an older Tare", lines(OUT, lambda _, one: {k: v for k, v in one.items() if k not in ("notes", "flags", "evidence", "reason", "wall_s", "harness_s", "request_mono_s")}), "show", 0, "host"),
    ("lines twice", all_of(*[lambda f, n=n: (f / n).write_bytes((f / n).read_bytes() * 2) for n in (M, OUT)]), "compare A", 0, "4 unchanged"),
    ("all failed", ended("failed"), "compare A", 1, "4 regressed"),
    ("all failed, shown", ended("failed"), "show", 0, "all 8 invocations failed"),
    ("only time-outs", ended("timeout"), "compare A", 1, "4 regressed"),
    ("only time-outs, exported", ended("timeout"), "export", 0, "run_id,scenario"),
    ("all skipped", ended("skipped"), "compare A", 2, f"'{B}' has no value (invocations: 32 skipped, boom)"),
    ("failed target", ended("skipped", "runc"), "pair", 2, f"'{B}@runc' has no value (invocations: 8 skipped, boom)"),
    ("no number at all", lines(M, lambda _, one: {**one, "value": float("nan")}), "compare A", 2, "has no value (invocations: 32 ok)"),
    ("infinite", lines(M, lambda _, one: {**one, "value": float("inf")}), "show", 0, "ended well but gave none"),
    ("one NaN", fourth(M, value=float("nan")), "compare A", 0, "4 unchanged"),
    ("zeros", lines(M, lambda _, one: {**one, "value": 0.0} if one["target"] == "runc" else one), "show", 0, "no ratio to host: a value is zero or negative"),
    ("negative", lines(M, lambda _, one: {**one, "value": -1.0} if one["target"] == "runc" else one), "pair", 0, "1 faster"),
    ("one block", lines(M, lambda _, one: one if one["block"] == 0 else None), "pair", 5, "1 blocks are too few for an interval: 6 in both are needed"),
    ("few blocks", lines(M, lambda _, one: one if one["block"] < 2 else None), "compare A", 0, "inconclusive"),
    ("few blocks, shown", lines(M, lambda _, one: one if one["block"] < 3 else None), "show", 0, "3 blocks are too few for an interval at 95 %: use --blocks 6"),
    ("holes on one side", lines(M, lambda _, one: one if one["target"] != "runc" or one["block"] % 2 else None), "pair", 5, "4 blocks are too few for an interval"),
    ("no block in common", lines(M, lambda _, one: one if (one["target"] == "runc") == bool(one["block"] % 2) else None), "pair", 5, "neither side has a value"),
    ("no sentinel", lines(M, lambda _, one: one if one["target"] != "sentinel" else None), "compare A", 0, "no sentinel ties them"),
    ("another metric", lines(M, lambda _, one: {**one, "metric": "startup.created_s"} if one["target"] != "sentinel" else one), "compare A", 2, "only in the base: startup: startup.ready_s; only in the new: startup: startup.created_s"),
    ("unknown metric", fourth(M, metric="no.such"), "compare A", 0, "only in the new: startup: no.such"),
    ("another host", head(fingerprint="bb"), "compare A", 2, "the runs differ in more than what is compared"),
    ("a payload that is a number", head(engines={"host": {"payload": 3}}), "compare A", 2, "payload: "),
    ("the same id", head(run_id=A), "compare A", 2, "are copies of one run"),
)  # fmt: skip
"""Damage that does not prevent reading: damage, command, exit code, words of the warning."""


@pytest.mark.parametrize(
    ("damage", "command", "code", "words"), [one[1:] for one in READABLE], ids=[one[0] for one in READABLE]
)
def test_damaged_but_readable_run_is_read_with_a_warning(  # noqa: PLR0917 - pytest passes them by name
    results: Path, tare: Callable[..., tuple[int, str]], damage: Damage, command: str, code: int, words: str
) -> None:
    damage(results / B)
    found, said = tare(*arguments(command))
    assert (found, words in said) == (code, True), said
    assert tare("compare", A, C)[0] == 0
    found, said = tare(*arguments("one screen"))
    refused = said.startswith("tare: ") and f"'{results / B}" in said
    assert (found, len(said.splitlines()) <= 45) == (2 if refused else 0, True), said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["compare", A, "20990101"], "no run '20990101' in"),
        (["compare", "", A], "matches 3 runs"),
        (["compare", "2026", A], "matches 3 runs"),
        (["compare", "n" * 300, A], "no run 'nnn"),
        (["compare", "nul\0", A], "no run 'nul"),
        (["compare", A, A], "is the same as the base; to compare two targets of a run write RUN@TARGET twice"),
        (["compare", f"{A}@host", f"{A}@host"], "is the same as the base"),
        (["compare", f"{A}@host", C], "name a target on both sides or on neither"),
        (["compare", f"{A}@hots", f"{A}@runc"], "did you mean 'host'?"),
        (["compare", f"{A}@", f"{A}@runc"], "unknown target"),
        (["compare", f"{A}@docker", f"{A}@runc"], "matches docker:network=host and docker:network=none"),
        (["compare", f"{A}@docker:network=nine", f"{A}@runc"], "unknown target of the run"),
        (["compare", A, C, "--threshold", "lots"], "'lots' is not a fraction"),
        (["compare", A, C, "--threshold", "nan"], "'nan' is not a fraction"),
        (["show", A, "--scenario", "stratup"], "did you mean 'startup'?"),
        (["export", A, "--format", "xml"], "unknown format 'xml', allowed: bmf, csv"),
        (["tag", A, "nonsense"], "'tag nonsense' is not KEY=VALUE"),
        (["trend", "--metric", "startup.redy_s"], "did you mean 'startup.ready_s'?"),
    ],
)
def test_unknown_name_is_refused_with_the_valid_ones(
    tare: Callable[..., tuple[int, str]], args: list[str], words: str
) -> None:
    code, said = tare(*args)
    assert (code, words in said) == (2, True), said


def test_skipped_target_is_shown_with_its_reason(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    reason = {"scenario": "startup", "target": "runsc", "reason": "gVisor is not installed", "remedy": "tare provision"}
    head(skipped=[reason])(results / B)
    code, said = tare("compare", f"{B}@host", f"{B}@runsc")
    assert (code, "gVisor is not installed (tare provision)" in said) == (2, True), said


def test_params_in_another_key_order_are_the_same_series(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    for name, params in ((A, {"size": 1, "cache": "cold"}), (B, {"cache": "cold", "size": 1})):
        for file in (M, OUT):
            lines(file, lambda _, one, params=params: {**one, "params": params})(results / name)  # type: ignore[misc]  # bound now
    code, said = tare("compare", A, B)
    assert (code, "4 unchanged" in said) == (0, True), said


def test_report_without_finite_values_is_rendered(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    lines(M, lambda _, one: {**one, "value": float("nan")})(results / B)
    code, said = tare("report", B, "-o", "out")
    assert (code, said) == (0, "out/index.html")
    assert "ended well but gave none" in Path("out/report.md").read_text()


def test_copies_foreign_folders_and_symlink_loops_are_not_runs(
    results: Path, tare: Callable[..., tuple[int, str]]
) -> None:
    shutil.copytree(results / B, results / f"{B}-copy")
    (results / "empty").mkdir()
    (results / "20990101T000000Z-00000000").mkdir()  # without run.json: not the latest
    (results / "file").write_text("x")
    (results / "criterion").mkdir()
    (results / "criterion/run.json").write_text('{"benchmarks": []}')
    (results / "loop").symlink_to(results)
    (results / "self").symlink_to("self")
    (results / "dangling").symlink_to("/nonexistent")
    code, said = tare("trend")
    assert (code, "4 series over 3 runs" in said) == (0, True)
    assert f"{B}-copy is a copy of the run {B}" in said
    assert "left out: 'results/criterion/run.json'" in said.replace(str(results.parent) + "/", "")
    assert json.loads((store.find(results, "latest") / R).read_text())["run_id"] == C
    code, said = tare("compare", B, f"{B}-copy")
    assert (code, "are copies of one run" in said) == (2, True)
    for name in ("empty", "file", "self", "dangling"):
        assert tare("show", name)[0] == 2


def test_run_folder_with_an_at_sign_is_found(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    shutil.copytree(results, results.parent / "me@home")
    assert tare("compare", str(results.parent / "me@home" / A), C)[0] == 0
    code, said = tare("compare", f"{A}@host", f"{A}@runc")
    assert (code, "1 slower" in said) == (0, True)


@pytest.mark.parametrize("command", ["show", "report", "trend", "export --format csv", f"compare {A} {B}"])
def test_empty_results_folder_names_the_remedy(
    results: Path, tare: Callable[..., tuple[int, str]], command: str
) -> None:
    shutil.rmtree(results)
    results.mkdir()
    code, said = tare(*command.split())
    assert code == 2
    assert "no runs in" in said or "no complete run in" in said
    assert "--results DIR" in said


def refused(words: str, answer: tuple[int, str]) -> int:
    assert words in answer[1]
    return answer[0]


@pytest.mark.root
def test_unreadable_files_are_reported(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    for path in (results, *results.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o055)
    (results / B / M).chmod(0)
    (results / C).chmod(0)
    os.seteuid(65534)
    try:
        assert refused("Permission denied", tare("show", B)) == 2
        assert tare("show", C)[0] == 2
        assert refused("cannot write", tare("tag", A, "a=b")) == 4
        assert refused("left out", tare("trend")) == 0
        assert tare("show", A)[0] == 0
        os.seteuid(0)
        results.chmod(0)
        os.seteuid(65534)
        assert refused("cannot be read: Permission denied", tare("show", A)) == 2
    finally:
        os.seteuid(0)
        results.chmod(0o755)


IMPORTS = (
    ("hyperfine", '{"results": []}'.encode("utf-16"), "not UTF-8 text"),
    ("csv", "scenario,target\n".encode("utf-16-le"), "not UTF-8 text (it looks like UTF-16); save it as UTF-8"),
    ("csv", "scenario,target,metric,value\ns,é,startup.ready_s,1\n".encode("latin-1"), "not UTF-8 text"),
    ("hyperfine", b"", "cannot be imported as hyperfine"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [1, 2]', "cannot be imported as hyperfine"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [null]}]}', "'x', value 1: 'None' is not a number"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [1, 2], "exit_codes": [0]}]}', "'x' has 2 times and 1 exit codes"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [1], "exit_codes": [NaN]}]}', "'x': the exit code NaN is not a whole number"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [1], "exit_codes": ["bad"]}]}', "'x': the exit code 'bad' is not a whole number"),
    ("hyperfine", b'{"results": [3]}', "a result: an object was expected, found int"),
    ("pytest-benchmark", b'{"benchmarks": [{"fullname": "x", "stats": {"data": [1, null]}}]}', "'x', value 2: 'None' is not a number"),
    ("pytest-benchmark", b'{"benchmarks": [{"fullname": "x", "stats": {"data": [NaN]}}]}', "out of range"),
    ("jsonl", b'{"scenario": "s", "target": "t", "metric": "startup.ready_s", "value": 1}\n{"scenario": "s"', "line 2: "),
    ("csv", b"scenario,target,metric,value,warmup\ns,t,startup.ready_s,1,WAHR\n", "line 2: warmup 'WAHR' is neither true nor false"),
    ("csv", b"scenario,target,metric,value\ns,t,startup.ready_s,x1\n", "line 2: could not convert"),
    ("csv", b"scenario,target,metric,value\ns,t,startup.ready_s,1_0\n", "line 2: '1_0' is not a number"),
    ("csv", b"scenario,target,metric,value\ns,a,b,startup.ready_s,1\n", "line 2 has 5 fields, the header has 4"),
    ("csv", b"scenario,target,metric,value,block\ns,t,startup.ready_s,1,0\ns,t,startup.re", "line 3 has 3 fields"),
    ("csv", b"scenario;target;metric;value\ns;t;startup.ready_s;0,1\n", "separate the columns by commas"),
    ("csv", b"scenario,target,metric,value,value\ns,t,startup.ready_s,1,2\n", "line 1 names the column 'value' twice"),
    ("csv", b"scenario,target,metric,value,params\ns,t,startup.ready_s,1,size=4\n", "line 2: params are 'size=4'"),
    ("csv", b"run_id,scenario,target,metric,value\nA,s,t,startup.ready_s,1\nB,s,t,startup.ready_s,1\n", "line 3: run_id is 'B', and 'A' before"),
    ("csv", b"run_id,scenario,target,metric,value\nA,s,t,startup.ready_s,1\n,s,t,startup.ready_s,1\n", "a file must hold one run"),
    ("csv", b"scenario,target,metric,value,block,invocation\ns,t,startup.ready_s,1,0,0\ns,t,startup.ready_s,1,1,0\n", "line 3: invocation 0 is another one in line 2"),
    ("csv", b"scenario,target,metric,value,invocation,iteration\n" + b"s,t,startup.ready_s,1,0,0\n" * 2, "line 3: invocation 0 is another one in line 2"),
    ("csv", b"scenario,target,metric,value,block,invocation,iteration\n" + b"s,t,startup.ready_s,1,0,0,0\n" * 2, "line 3 repeats the measurement of line 2"),
    ("hyperfine", b"\xff\xfe", "not UTF-8 text"),
    ("hyperfine", b"[" * 100_000, "cannot be imported as hyperfine"),
    ("hyperfine", b'{"results": [{"command": "x", "times": []}]}', "no value that can be imported"),
    ("hyperfine", b'{"results": [{"command": "x", "times": ["fast"]}]}', "could not convert"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [NaN]}]}', "out of range"),
    ("hyperfine", b'{"results": [{"command": "\\ud800", "times": [1]}]}', "cannot be imported as hyperfine"),
    ("hyperfine", b'{"results": [{"command": "x", "times": [1], "parameters": {"a": [1]}}]}', "params are"),
    ("pytest-benchmark", b'{"benchmarks": 3}', "cannot be imported as pytest-benchmark"),
    ("jsonl", b"[1]\n", "cannot be imported as jsonl"),
    ("jsonl", b'{"scenario": "s", "target": "t", "metric": "startup.ready_s", "value": 1, "unit": "ms"}\n', "line 1: 'startup.ready_s' is in 'ms', allowed is 's'"),
    ("jsonl", b'{"scenario": "s", "target": "t", "metric": "startup.ready_s", "value": 1, "params": 3}\n', "line 1: params are 3"),
    ("csv", b"scenario,target,metric,value,block\ns,t,startup.ready_s,1,-2\n", "line 2: block '-2' is not a whole number"),
    ("csv", b"scenario,target,metric,value\ns,t,startup.ready_s,1e308\n", "line 2: 1e308 is out of range"),
    ("csv", b"scenario,target,metric,value\ns,t,startup.ready_s," + b"1" * 200_000 + b"\n", "field larger than field limit"),
)  # fmt: skip


@pytest.mark.parametrize(("form", "data", "words"), IMPORTS)
def test_failed_import_leaves_no_run(
    results: Path, tare: Callable[..., tuple[int, str]], form: str, data: bytes, words: str
) -> None:
    Path("file").write_bytes(data)
    code, said = tare("import", "file", "--format", form)
    assert (code, words in said) == (2, True), said
    assert sorted(path.name for path in results.iterdir()) == [A, B, C]


@pytest.mark.parametrize("command", ["import", "tag", "export", "junit", "report"])
def test_full_disk_is_reported_and_no_file_changes(
    results: Path, tare: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    Path("file").write_text('{"results": [{"command": "x", "times": [1, 2]}]}')
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    if command in ("export", "junit", "report"):
        monkeypatch.setattr(Path, "write_bytes", full)
        monkeypatch.setattr(Path, "write_text", full)
    code, said = tare(
        *{
            "import": ["import", "file", "--format", "hyperfine"],
            "tag": ["tag", A, "a=b"],
            "export": ["export", A, "--format", "csv", "-o", "out"],
            "junit": ["compare", A, C, "--junit", "out"],
            "report": ["report", A, "-o", "out"],
        }[command]
    )
    monkeypatch.undo()
    assert (code, "No space left on device" in said) == (4, True), said
    assert before == {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


def test_full_disk_under_standard_output_is_reported(results: Path) -> None:
    program = [sys.executable, "-m", "bench", "export", A, "--format", "csv", "--results", str(results)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert done.returncode == 4
    assert (
        done.stderr
        == "tare: cannot write the output: No space left on device; free space, or write it somewhere else\n"
    )


def test_random_damage_never_crashes_a_reader(results: Path, tare: Callable[..., tuple[int, str]]) -> None:
    rng = random.Random(20261128)  # noqa: S311 - reproducible damage, not a secret
    whole = {name: (results / B / name).read_bytes() for name in (M, OUT, R, P)}
    commands = [["show", B], ["compare", A, B], ["compare", f"{B}@host", f"{B}@runc", "--json"], ["trend"]]
    commands += [["export", B, "--format", form] for form in ("jsonl", "junit", "openmetrics", "hyperfine")]
    for number in range(150):
        name = rng.choice((M, OUT, R, P))
        data = bytearray(whole[name])
        for _ in range(rng.choice((1, 1, 3))):
            _damage(rng, data)
        (results / B / name).write_bytes(data)
        code, said = tare(*commands[number % len(commands)])
        assert code in EXIT_CODES, f"{number}: {name}: {said}"
        (results / B / name).write_bytes(whole[name])
    others_unharmed = tare("compare", A, B)
    assert others_unharmed[0] == 0


def _damage(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(6)
    if kind == 0:
        del data[at:]
    elif kind == 1:
        del data[at : at + rng.randrange(1, 200)]
    elif kind == 2:
        data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    elif kind == 3:
        data[at : at + 40] = b"\0" * 40
    elif kind == 4:
        data[at:at] = data[: rng.randrange(1, 500)]
    else:  # replace a value by one of another type: usually still JSON
        colons = [place for place, byte in enumerate(data) if byte == ord(":")]
        start = rng.choice(colons) + 1 if colons else 0
        end = next((place for place in range(start, len(data)) if data[place] in b",}]\n"), len(data))
        data[start:end] = rng.choice(
            (b"null", b"true", b"-1", b"1e999", b"[]", b"{}", b'""', b"NaN", b'"\\u0000"', b"1e-320")
        )
