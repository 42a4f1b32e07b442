"""Tests of comparing hosts: which are apart, what of the spread is between them, and which runs are of one host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bench import cli, store
from bench.compare import hosts
from bench.core.errors import UsageError
from bench.report import hosts as pages
from bench.store.hosts import distinct, may_be_same
from tests.synthetic_pairs import write

BLOCKS = 20


def fleet(folder: Path, slower: Mapping[str, float], *, spread: float = 0.02, seed: int = 7) -> list[store.Run]:
    """Write a run a host: 'host' and 'runc', which is ``slower`` than on the others; hosts differ by ``spread``."""
    rng = np.random.default_rng(seed)
    for name, times in slower.items():
        base = 0.01 * np.exp(rng.normal(0, spread) + rng.normal(0, 0.03, BLOCKS))
        runc = base * 5 * times * np.exp(rng.normal(0, spread / 4) + rng.normal(0, 0.03, BLOCKS))
        write(folder, f"run-{name}", {"host": list(base), "runc": list(runc)}, host="node", tags={"fleet.host": name})
    return [store.load(folder / f"run-{name}") for name in slower]


def test_host_that_is_apart_is_named_in_its_series_only(tmp_path: Path) -> None:
    runs = fleet(tmp_path, dict.fromkeys("abcdefg", 1.0) | {"odd": 1.6})
    found = hosts.compare(runs)
    apart = {(one.target, one.against): [value.host.tag for value in one.apart] for one in found.series}
    assert apart == {("host", ""): [], ("runc", ""): ["odd"], ("runc", "host"): ["odd"]}
    (odd,) = next(one for one in found.series if one.against).apart
    assert odd.ratio == pytest.approx(1.6, rel=0.05)
    assert pages.headline(found) == "1 of 8 hosts is apart from the others (node (odd)), in 2 of 3 series."


def test_hosts_of_one_population_are_not_apart(tmp_path: Path) -> None:
    found = hosts.compare(fleet(tmp_path, dict.fromkeys("abcdefgh", 1.0), spread=0.3))
    assert found.apart == ()
    base = next(one for one in found.series if one.target == "host")
    assert base.share is not None
    assert base.share > 0.9, "hosts that differ by 30 % and blocks by 3 %"
    assert "no host is apart" in pages.headline(found)


def test_two_hosts_are_never_apart(tmp_path: Path) -> None:
    found = hosts.compare(fleet(tmp_path, {"a": 1.0, "b": 9.0}))
    assert found.apart == ()
    assert "either may be the odd one" in pages.headline(found)


def test_runs_of_one_host_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="all runs are of one host"):
        hosts.compare(fleet(tmp_path, {"a": 1.0}))


def test_run_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    runs = fleet(tmp_path, dict.fromkeys("abc", 1.0))
    found = hosts.compare([*runs, runs[0]])
    assert {value.blocks for one in found.series for value in one.hosts} == {BLOCKS}
    assert "run-a was given twice, and counts once" in list(pages.notes(found))


def test_alike_hosts_of_a_fleet_are_told_apart_by_their_names_in_it(tmp_path: Path) -> None:
    runs = fleet(tmp_path, dict.fromkeys("ab", 1.0))
    assert [host.name for host in distinct(runs).values()] == ["node (a)", "node (b)"]
    assert not may_be_same(*runs)


def test_run_without_a_fleet_is_of_the_only_host_that_is_like_it(tmp_path: Path) -> None:
    (run,) = fleet(tmp_path, {"a": 1.0})
    write(tmp_path, "by-hand", {"host": [0.1] * 3}, host="node")
    alone = store.load(tmp_path / "by-hand")
    assert len(set(distinct([run, alone]).values())) == 1
    assert may_be_same(run, alone)


def test_facts_that_differ_are_said(tmp_path: Path) -> None:
    runs = fleet(tmp_path, dict.fromkeys("ab", 1.0))
    for run, kernel in zip(runs, ("6.1", "6.12"), strict=True):
        store.RunWriter.beside(run).update(epoch=["kernel"], facts={"kernel": kernel})
    again = [store.load(run.path) for run in runs]
    assert "kernel differs: node (a) 6.1; node (b) 6.12" in list(pages.notes(hosts.compare(again)))


def test_command_prints_the_table_and_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = fleet(tmp_path / "results", dict.fromkeys("abcdefg", 1.0) | {"odd": 1.6})
    names = [run.run_id for run in runs]
    where = ["--results", str(tmp_path / "results")]
    assert cli.run(["fleet", "compare", *names, *where, "-o", str(tmp_path / "page")]) == 0
    printed = capsys.readouterr().out
    assert "node (odd) × 1.6" in printed
    page = (tmp_path / "page" / "hosts.html").read_text()
    assert page.count("<figure") == 2
    assert sorted(path.name for path in (tmp_path / "page").glob("*.svg")) == [
        "hosts-startup-ratio.svg",
        "hosts-startup.svg",
    ]
    assert cli.run(["fleet", "compare", *names, *where, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {value["host"] for one in record["series"] for value in one["hosts"] if value["apart"]} == {"node (odd)"}
