"""The payload and tare-spaces, run as plain processes without root."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core import proc
from bench.core.clock import Line
from bench.lab import images
from bench.workloads import payload, spaces, sysbench


def told(state: Path, *arguments: str) -> list[str]:
    """Return the payload's lines for these arguments; its event channel is its standard output."""
    program = str(images.payload(state).path)
    return proc.run([program, "--events", "fd:1", "--exit", *arguments], timeout_s=30).check().stdout.splitlines()


@pytest.mark.parametrize("name", payload.LOOPS)
def test_loop_reports_its_count(built_state: Path, name: str) -> None:
    lines = told(built_state, *payload.loop_arguments((name,), 20))
    assert lines[:3] == ["F", "R", f"B {name}"]
    assert payload.loops([Line(at, text) for at, text in enumerate(lines)], (name,))[name].count >= 64


def segments() -> int:
    """Count the segments of shared memory that this process sees."""
    return len(Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()) - 1


def test_look_reports_the_payloads_own_surroundings(built_state: Path) -> None:
    before = segments()
    seen = payload.look([Line(0, text) for text in told(built_state, "--look")])
    assert int(seen["processes"]) >= 1
    assert int(seen["mounts"]) >= 1
    assert min(before, after := segments()) <= int(seen["ipc_segments"]) <= max(before, after)


def test_programs_run_one_after_another_to_their_end(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    inner = (program, "--events", "fd:2", "--exit")  # not the channel of the outer payload
    first, second = sysbench.runs(
        [Line(0, text) for text in told(built_state, "--run", *inner, "--look", "--run", *inner, "--nonsense")]
    )
    assert [first[0].text, first[1].text, first[-1].text] == ["B run", "O F", "C run 0"]
    assert "O E look" in [line.text for line in first]
    assert second[-1].text == "C run 64"
    assert "O tare-payload: unknown option '--nonsense': Invalid argument" in [line.text for line in second]


def test_missing_program_ends_with_status_127(built_state: Path) -> None:
    [run] = sysbench.runs([Line(0, text) for text in told(built_state, "--run", "/nonexistent")])
    assert [line.text for line in run[1:]] == ["O cannot run /nonexistent: No such file or directory", "C run 127"]


def test_run_without_a_program_is_refused(built_state: Path) -> None:
    done = proc.run([str(images.payload(built_state).path), "--exit", "--run"], timeout_s=10)
    assert done.status == 64
    assert "--run needs a program" in done.stderr


def spaces_said(state: Path, *arguments: str) -> str:
    return proc.run([str(images.spaces(state)), *arguments], timeout_s=60).check().stdout


def test_every_namespace_kind_has_a_cost_or_an_error(built_state: Path) -> None:
    found = spaces.costs(spaces_said(built_state, *spaces.cost_arguments(11, 5)))
    assert set(found.create_s) | set(found.refused) == set(spaces.KINDS)
    assert not set(found.create_s) & set(found.refused)
    assert set(found.destroy_s) == set(found.create_s)
    made = set(found.create_s) - {"none", "all"}
    assert all(found.create_s[kind] > found.create_s["none"] for kind in made)


def test_seed_determines_the_order_and_rounds_differ(built_state: Path) -> None:
    def order(seed: int) -> list[str]:
        lines = spaces_said(built_state, *spaces.cost_arguments(4, seed)).splitlines()
        return [line.split()[1] for line in lines if not line.startswith("destroy")]

    once = order(5)
    rounds = [tuple(once[at : at + 10]) for at in range(0, 40, 10)]
    assert all(sorted(one) == sorted(spaces.KINDS) for one in rounds)
    assert len(set(rounds)) > 1
    assert order(5) == once
    assert order(6) != once


def test_rate_counts_all_namespaces(built_state: Path) -> None:
    text = spaces_said(built_state, *spaces.rate_arguments("none", 3, 7))
    assert text.split()[:3] == ["rate", "none", "21"]
    assert spaces.rate(text).per_s


def test_wait_for_dead_network_namespaces_gives_a_time_or_an_error(built_state: Path) -> None:
    kind = "net" if "net" in spaces.costs(spaces_said(built_state, *spaces.cost_arguments(1, 1))).create_s else "all"
    found = spaces.rate(spaces_said(built_state, *spaces.rate_arguments(kind, 2, 5)))
    assert found.refused or (found.drain_s or 0) > 0 or found.undrained


@pytest.mark.parametrize(
    "arguments",
    [(), ("cost",), ("cost", "0", "1"), ("cost", "5", "x"), ("rate", "disk", "1", "1"), ("rate", "net", "1")],
)
def test_invalid_arguments_of_tare_spaces_are_refused(built_state: Path, arguments: tuple[str, ...]) -> None:
    done = proc.run([str(images.spaces(built_state)), *arguments], timeout_s=10)
    assert done.status == 64
    assert done.stderr
    assert not done.stdout


@pytest.mark.parametrize("folder", ["/x y", "/a'b\"c", "/50%s", "/größe", "/{data}"])
def test_script_keeps_a_path_with_blanks_as_one_word(folder: str, built_state: Path, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("run /usr/bin/printf [%s] {data}/file {data}\n", encoding="utf-8")
    lines = told(built_state, "--place", f"data={folder}", "--script", str(tmp_path / "script"))
    assert f"O [{folder}/file][{folder}]" in lines
