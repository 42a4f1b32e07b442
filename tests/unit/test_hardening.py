"""The hardening benchmark over the fake engine: pairs, facts, every refusal and every switch that is not in force."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.benchmarks.hardening import observed, proof, published, results, surface, switches
from bench.benchmarks.hardening.published import Answers
from bench.benchmarks.hardening.trial import CALLS
from bench.core import syscalls
from bench.core.errors import EvidenceMismatch, InvocationFailed
from bench.core.model import Scenario, Status
from bench.core.syscalls import COUNT, NUMBERS
from bench.engines.base import Engine, InstanceSpec
from bench.engines.fake import Fake
from bench.engines.hardening import RULES, Hardening, long_filter
from bench.probes.filters import Passed
from tests.fakes import FakeLab, executed, small, speaking

REFUSED = ("mount", "swapon", "ptrace")
ACTS = {"mount": 1, "raw-socket": 0, "write-root": 0}


def report(wanted: Hardening | None) -> list[str]:
    """Return what an instance with these switches reports."""
    on = wanted or Hardening()
    gone = "0" * 16
    letters = "".join(
        "p" if name in REFUSED and on.seccomp != "none" else "a" for name in (NUMBERS.get(n, "") for n in range(COUNT))
    )
    status = {
        "Uid": f"{65534 if on.user else 0}\t0\t0\t0",
        "CapBnd": gone if on.no_capabilities else "00000000a80425fb",
        "CapEff": gone if on.no_capabilities or on.user else "00000000a80425fb",
        "NoNewPrivs": str(int(on.no_new_privileges)),
        "Seccomp": "0" if on.seccomp == "none" else "2",
        "Seccomp_filters": "0" if on.seccomp == "none" else "1",
    }
    acts = {**ACTS, "write-root": 30 if on.read_only else 0, "mount": 1 if on.seccomp != "none" else 0}
    rows = [f"S status {name}:\t{value}" for name, value in status.items()]
    rows += [f"S uid_map {0} {200000 if on.userns else 0} 65536"]
    rows += ["S mount / rw overlay /", "S mount /proc rw proc /", "S mount /proc/sys ro proc /sys", "S device null"]
    rows += ["S mount /proc/kcore rw tmpfs /null", *(f"S act {name} {error}" for name, error in acts.items())]
    rows += [f"S calls {first} {letters[first : first + 64]}" for first in range(0, COUNT, 64)]
    return [*rows, surface.END]


def speech(spec: InstanceSpec) -> list[str]:
    if "--surface" in spec.arguments:
        return report(spec.hardening)
    return [line for name in CALLS for line in (f"B {name}", f"C {name} 1000")]


class FakeHardener:
    """Has every switch but those that it was told to refuse."""

    def __init__(self, engine: Engine) -> None:
        self.made = engine
        self.refused: dict[str, str] = {}

    def refusal(self, wanted: Hardening) -> str:
        """Return why, if it was told to refuse one of them."""
        return next((why for name, why in self.refused.items() if name in wanted.on), "")

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine."""
        return self.made

    def default_capabilities(self) -> int | None:
        """Return what the fake's documentation says."""
        return 14


@pytest.fixture
def lab(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(observed, "_victim", lambda _: contextlib.nullcontext(1))
    return lab


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the fake engine switches; return those that it refuses, none at first, with the reasons."""
    told: dict[str, str] = {}

    def made(self: Fake) -> FakeHardener:
        found = FakeHardener(self)
        found.refused = told
        return found

    monkeypatch.setattr(Fake, "hardening", property(made), raising=False)
    return told


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[InstanceSpec]:
    return speaking(monkeypatch, speech)


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab) -> Ended:
    """Return a function that measures a switch and returns the run."""

    def run(switch: str, blocks: int = 1) -> store.Run:
        one = scenario(switch, blocks)
        return executed(tmp_path, one, lab)

    return run


def scenario(switch: str, blocks: int) -> Scenario:
    one = small(["fake"], blocks=blocks, warmup_blocks=0, timeout_s=10.0)
    return dataclasses.replace(one, procedure="hardening", params={"switch": (switch,), "pairs": (2,)})


def outcome(run: store.Run) -> dict[str, Any]:
    row = store.outcomes(run).to_dict("records")[0]
    return {str(key): value for key, value in row.items()}


def test_pairs_alternate_and_every_call_has_a_ratio_of_each_pair(
    refused: dict[str, str], specs: list[InstanceSpec], ended: Ended
) -> None:
    run = ended("user")
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    with_it = [spec.hardening is not None for spec in specs]
    assert with_it == [False, True, True, False, True]
    frame = store.measurements(run)
    assert len(frame[frame["metric"] == "hardening.start_ratio"]) == 2
    ratios = frame[frame["metric"] == "hardening.call_ratio"]
    assert {json.loads(params)["call"] for params in ratios["params"]} == set(CALLS)
    assert len(ratios) == 2 * len(CALLS)


def test_next_block_begins_with_the_other_side(
    refused: dict[str, str], specs: list[InstanceSpec], ended: Ended
) -> None:
    ended("user", blocks=2)
    assert [spec.hardening is not None for spec in specs[5:]] == [True, False, False, True, True]


def test_facts_are_exact_counts_with_their_names(
    refused: dict[str, str], specs: list[InstanceSpec], ended: Ended
) -> None:
    run = ended("default")
    values = store.measurements(run).set_index("metric")["value"]
    assert values["hardening.calls_refused"] == len(REFUSED)
    assert (values["hardening.capabilities"], values["hardening.documented_capabilities"]) == (14, 14)
    assert (values["hardening.hidden_paths"], values["hardening.read_only_paths"]) == (1, 1)
    assert values["hardening.acts"] == 2
    assert outcome(run)["notes"]["refused"] == "mount ptrace swapon"


@pytest.mark.parametrize("switch", [*(name for name in switches.SINGLE if name != "rootless"), "all"])
def test_every_switch_is_proved_by_what_the_instance_reports(
    refused: dict[str, str], specs: list[InstanceSpec], ended: Ended, switch: str
) -> None:
    row = outcome(ended(switch))
    assert row["status"] == Status.OK, row["reason"]
    assert row["notes"]["switches"].split() == (list(switches.TOGETHER) if switch == "all" else [switch])


def test_refused_switch_is_skipped_before_anything_starts(
    refused: dict[str, str], specs: list[InstanceSpec], ended: Ended
) -> None:
    refused["no_apparmor"] = "this kernel runs without it"
    row = outcome(ended("no-apparmor"))
    assert (row["status"], row["reason"]) == (Status.SKIPPED, "this kernel runs without it")
    assert not specs


def test_all_leaves_out_what_a_target_refuses(refused: dict[str, str], specs: list[InstanceSpec], ended: Ended) -> None:
    refused["no_new_privileges"] = "on by default"
    assert "no-new-privileges" not in outcome(ended("all"))["notes"]["switches"]


def test_engine_without_switches_has_its_default_only(specs: list[InstanceSpec], ended: Ended) -> None:
    row = outcome(ended("user"))
    assert row["status"] == Status.SKIPPED
    assert "'fake' has no switches that make an instance safer" in row["reason"]
    assert not specs


def test_engine_without_switches_is_measured_by_default(specs: list[InstanceSpec], ended: Ended) -> None:
    assert outcome(ended("default"))["status"] == Status.OK


@pytest.mark.parametrize("switch", [name for name in switches.SINGLE if name not in ("no-apparmor", "no-selinux")])
def test_switch_that_is_not_in_force_is_a_mismatch(switch: str) -> None:
    other = Hardening(seccomp="none") if switch == "long-filter" else Hardening()
    with pytest.raises(EvidenceMismatch):
        proof.check(switches.SINGLE[switch], surface.parse(report(other)))


ORDINARY = {"runtime_user": "65534"}
HELD = {"conmon": frozenset({65534}), "tare-payload": frozenset({65534})}


def run_by(owners: dict[str, frozenset[int]], roots: frozenset[int]) -> surface.Surface:
    return dataclasses.replace(surface.parse(report(None)), owners=owners, roots=roots)


def test_container_of_an_ordinary_user_is_proved_by_the_hosts_kernel() -> None:
    proof.check(Hardening(rootless=True), run_by(HELD, frozenset({65534})), ORDINARY)


@pytest.mark.parametrize(
    ("owners", "roots", "evidence", "what"),
    [
        ({}, frozenset({65534}), ORDINARY, "no process was seen"),
        (HELD | {"conmon": frozenset({0})}, frozenset({65534}), ORDINARY, "conmon"),
        (HELD, frozenset({0, 65534}), ORDINARY, "mapped to the host's root"),
        (HELD, frozenset(), ORDINARY, "there is no user namespace"),
        (HELD, frozenset({65534}), {"runtime_user": "0"}, "runtime_user"),
        (HELD, frozenset({65534}), {}, "runtime_user"),
    ],
)
def test_anything_of_roots_contradicts_an_ordinary_user(
    owners: dict[str, frozenset[int]], roots: frozenset[int], evidence: dict[str, str], what: str
) -> None:
    with pytest.raises(EvidenceMismatch, match=what):
        proof.check(Hardening(rootless=True), run_by(owners, roots), evidence)


def test_programs_of_the_hosts_root_are_counted_and_named() -> None:
    seen = run_by({"conmon": frozenset({0}), "payload": frozenset({0, 7})}, frozenset({0}))
    assert results.facts(seen, "container")["hardening.root_programs"] == 2
    assert results.notes(seen, (), "container")["owners"] == "conmon 0; payload 0 7"
    assert "hardening.root_programs" not in results.facts(surface.parse(report(None)), "container")


@pytest.mark.parametrize("kind", ["S calls", "S status", "S act"])
def test_incomplete_report_is_a_failure(kind: str) -> None:
    with pytest.raises(InvocationFailed, match=f"no {kind[2:]}"):
        surface.parse([line for line in report(None) if not line.startswith(kind)])


def test_mounts_of_a_process_are_not_counted() -> None:
    seen = surface.parse(report(None))
    assert "hardening.devices" not in results.facts(seen, "process")
    assert results.facts(seen, "container")["hardening.devices"] == 1


def test_what_a_kernel_does_not_report_is_absent() -> None:
    seen = surface.parse([line for line in report(None) if "Seccomp_filters" not in line])
    assert "hardening.filters" not in results.facts(seen, "container")


def test_published_call_that_is_refused_or_missing_does_not_answer() -> None:
    listed = published.tried()
    assert published.answered(listed, []) == []
    assert published.answered([], listed) == []
    assert "ptrace" in published.answered([name for name in listed if name != "ptrace"], [])
    assert not published.published().by_arguments & set(listed)


def test_published_list_names_each_call_once_and_explains_no_listed_one_as_unlisted() -> None:
    known = published.published()
    assert len(known.blocked) == len(set(known.blocked)) == 50
    assert set(known.answers) <= set(known.blocked)
    assert not set(known.refused) & set(known.blocked)


def test_differences_to_the_published_list_have_their_reasons() -> None:
    listed = [name for name in published.tried() if name != "ptrace"]
    seen = Answers([*listed, "getcwd", "pkey_alloc", "afs_syscall"], ["clone3", "chdir", NUMBERS[max(NUMBERS)]])
    plain = Answers(["pkey_alloc"], ["afs_syscall"])
    found = {one.call: (one.found, bool(one.why)) for one in published.deviations(seen, plain)}
    assert found == {
        "ptrace": ("answers", True),
        "getcwd": ("refused", False),
        "afs_syscall": ("refused", True),
        "clone3": ("does not exist", True),
        "chdir": ("does not exist", False),
        NUMBERS[max(NUMBERS)]: ("does not exist", True),
    }


def test_calls_to_the_host_are_those_of_the_widest_filter() -> None:
    seen = surface.parse(report(None))
    assert "hardening.host_calls" not in results.facts(seen, "container"), "unknown"
    free = dataclasses.replace(seen, passed={})
    assert results.facts(free, "container")["hardening.host_calls"] == len(syscalls.NAMES)
    sandbox, gofer = Passed(("read", "write"), ("ioctl",)), Passed(("read",), ())
    held = dataclasses.replace(seen, passed={"sandbox": sandbox, "gofer": gofer})
    assert results.facts(held, "container")["hardening.host_calls"] == 3
    assert results.notes(held, (), "container")["host_calls"] == "gofer 1: read; sandbox 3: ioctl* read write"


def test_long_filter_has_one_rule_a_call_and_none_for_getpid() -> None:
    found = long_filter()
    names = [name for rule in found["syscalls"] for name in rule["names"]]
    assert len(names) == len(set(names)) == RULES
    assert "getpid" not in names
    assert {"personality", "openat"} <= set(names)
    assert found["defaultAction"] == "SCMP_ACT_ALLOW"


@pytest.mark.parametrize(
    ("machine", "number", "name"),
    [("x86_64", 39, "getpid"), ("aarch64", 172, "getpid"), ("x86_64", 435, "clone3"), ("aarch64", 435, "clone3")],
)
def test_numbers_of_system_calls_are_the_kernels(machine: str, number: int, name: str) -> None:
    found = syscalls.table(machine)
    assert found[number] == name
    assert len(set(found.values())) == len(found)
