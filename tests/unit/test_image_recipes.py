"""Recipes of images and what builders say of them: each pair differs in one habit, and a build that built nothing is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench import benchmarks
from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.lab.bases import Base
from bench.workloads import build

DATA = Path(__file__).parents[1] / "data/builder"
COMPILER = Base("compiler", ())


def said(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def runs(recipe: str) -> list[str]:
    return [line for line in build.dockerfile(recipe, COMPILER, 1000).splitlines() if line.startswith("RUN ")]


def test_every_recipe_of_the_scenario_is_there() -> None:
    assert set(build.RECIPES) == set(benchmarks.get("image-build").params["recipe"].allowed)


@pytest.mark.parametrize("recipe", build.RECIPES)
def test_every_recipe_compiles_the_application_and_starts_it(recipe: str) -> None:
    text = build.dockerfile(recipe, COMPILER, 1000)
    assert text.startswith("FROM tare/compiler:latest AS build\n")
    assert "app/main.c" in text
    assert text.endswith('ENTRYPOINT ["/application"]\n')
    assert "apt" not in text  # nothing that would need a network
    assert "http" not in text


def test_pairs_do_the_same_work() -> None:
    def commands(recipe: str) -> list[str]:
        return [command for line in runs(recipe) for command in line.removeprefix("RUN ").split(" && ")]

    assert commands("good-order") == commands("bad-order") == commands("multi-stage") == commands("single-stage")
    assert commands("many-run") == commands("one-run")
    assert sorted(commands("clean-same")) == sorted(commands("clean-later"))
    assert build.RECIPES["ignore"] == build.RECIPES["no-ignore"]
    assert len(runs("many-run")) == len(runs("one-run")) + 9
    assert len(runs("clean-later")) == len(runs("clean-same")) + 1


def test_only_a_dockerignore_tells_the_two_contexts_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "USELESS_BYTES", 64 * 1024)
    for recipe in ("ignore", "no-ignore"):
        (tmp_path / recipe).mkdir()
        build.write(recipe, COMPILER, tmp_path / recipe, 1000)
    names = {recipe: {str(path.relative_to(tmp_path / recipe)) for path in (tmp_path / recipe).rglob("*")} for recipe in ("ignore", "no-ignore")}  # fmt: skip
    assert names["ignore"] - names["no-ignore"] == {".dockerignore"}
    assert names["no-ignore"] <= names["ignore"]
    assert build.ignored(tmp_path / "ignore") == ["useless"]
    assert build.ignored(tmp_path / "no-ignore") == []
    assert sum(path.stat().st_size for path in (tmp_path / "ignore/useless").iterdir()) == 64 * 1024


def test_a_change_is_one_line_of_one_file(tmp_path: Path) -> None:
    build.write("good-order", COMPILER, tmp_path, 5000)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    build.change(tmp_path, 2)
    changed = [path for path, content in before.items() if path.read_bytes() != content]
    assert [path.name for path in changed] == ["build.h"]
    first, second = before[changed[0]].decode().splitlines(), changed[0].read_text().splitlines()
    assert [(one, other) for one, other in zip(first, second, strict=True) if one != other] == [
        ("#define BUILD 1", "#define BUILD 2")
    ]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_application_prints_what_was_worked_out_without_it(tmp_path: Path) -> None:
    build.write("good-order", COMPILER, tmp_path, 5000)
    for number in (1, 7):
        build.change(tmp_path, number)
        lines = [
            f"cd {tmp_path}",
            "cc -O2 -o primes lib/primes.c && ./primes 5000 >table.c && cc -O2 -I lib -c table.c",
            "cc -O2 -I lib -o application app/main.c table.o && ./application",
        ]
        done = proc.run(["/bin/sh", "-ec", "\n".join(lines)], timeout_s=60).check()
        assert done.stdout.strip() == build.expected(number, 5000)
    assert build.expected(1, 5000) != build.expected(7, 5000)


@pytest.mark.parametrize(("name", "image"), [("docker.jsonl", "4447086243a1"), ("podman.jsonl", "10cdf4eab745")])
def test_what_both_builders_say_is_read(name: str, image: str) -> None:
    found = build.read(said(name))
    assert found.image.startswith(f"sha256:{image}")
    assert (found.steps, found.cached) == (7, 3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("docker-fails.jsonl", r"returned a non-zero code: 1.*RUN false"),
        ("podman-fails.jsonl", r"exit status 1.*RUN false"),
    ],
)
def test_a_step_that_fails_is_an_error_with_the_builders_words(name: str, says: str) -> None:
    with pytest.raises(InvocationFailed, match=says):
        build.read(said(name))


def test_a_build_that_ends_without_an_image_is_an_error() -> None:
    with pytest.raises(InvocationFailed, match=r"without an image; it said: .*Step 7/7"):
        build.read([line for line in said("docker.jsonl") if "Successfully built" not in str(line)])
    with pytest.raises(InvocationFailed, match="it said: nothing"):
        build.read([])
