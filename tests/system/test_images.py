"""System tests of benchmarks ``image-build``, ``size`` and ``pull``: effects of recipes, equal bytes, cleanup."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.lab.paths import state_dir
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

COMPILER = state_dir() / "bases/compiler.tar.gz"
needs_compiler = pytest.mark.skipif(
    not COMPILER.exists() and not os.environ.get("TARE_PROVISIONED"),  # missing after provisioning is a failure
    reason="no base image: run 'tare provision base_images'",
)


def measured(tare: Tare, tmp_path: Path, name: str, *arguments: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run a scenario without its controls, require no failure and no residue, and return its measurements and outcomes."""
    return measured_run(tare, tmp_path, without_controls(tmp_path, name), *arguments)


def measured_run(tare: Tare, tmp_path: Path, *arguments: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run without warm-up, require no failure and no residue, and return the run's measurements and outcomes."""
    before = inventory()
    asked = (*arguments, "--warmup", "0")
    done = tare("run", *asked, "--results", str(tmp_path / "results"))
    assert done.returncode == 0, done.stderr
    found = store.load(store.find(tmp_path / "results", "latest"))
    outcomes = store.outcomes(found)
    outcomes["params"] = outcomes["params"].map(json.loads)
    assert set(outcomes["status"]) <= {"ok", "skipped"}, outcomes["reason"].tolist()
    numbers = store.measurements(found)
    numbers["params"] = numbers["params"].map(json.loads)
    assert_same(before)
    return numbers, outcomes


def of(numbers: pd.DataFrame, metric: str, target: str = "docker:network=none", **params: object) -> list[float]:
    """Return the values of a metric in the order of the blocks."""
    rows = numbers[(numbers["metric"] == metric) & (numbers["target"] == target)].sort_values("block")
    return [
        value
        for given, value in zip(rows["params"], rows["value"], strict=True)
        if all(given.get(key) == wanted for key, wanted in params.items())
    ]


@needs_compiler
def test_copying_changing_files_last_shortens_a_rebuild(tare: Tare, tmp_path: Path) -> None:
    arguments = ("image-build", "-t", "docker:network=none", "-p", "recipe=good-order,bad-order", "--blocks", "2")
    numbers, outcomes = measured(tare, tmp_path, *arguments)
    good, bad = (
        of(numbers, "image.build_s", recipe=recipe, cache="source-change") for recipe in ("good-order", "bad-order")
    )
    ratios = [one / other for one, other in zip(good, bad, strict=True)]
    assert len(ratios) == 2
    assert statistics.median(ratios) < 0.8, ratios
    for recipe in ("good-order", "bad-order"):
        cold, unchanged = (of(numbers, "image.build_s", recipe=recipe, cache=kind) for kind in ("cold", "unchanged"))
        assert statistics.median(unchanged) < statistics.median(cold) / 2
        assert len(set(of(numbers, "image.bytes", recipe=recipe))) == 1  # the same in every build
        assert len(set(of(numbers, "image.context_bytes", recipe=recipe))) == 1
    kept = {row["params"]["recipe"]: int(row["evidence"]["kept_layers"]) for _, row in outcomes.iterrows()}
    assert kept["good-order"] > kept["bad-order"] > 0  # the library's layer stays in the cache


@needs_compiler
def test_each_pair_of_recipes_differs_in_its_documented_metric(tare: Tare, tmp_path: Path) -> None:
    pairs = "recipe=multi-stage,single-stage,clean-same,clean-later,ignore,no-ignore"
    numbers, _ = measured(tare, tmp_path, "image-build", "-t", "docker:network=none", "-p", pairs, "--blocks", "1")

    def one(metric: str, recipe: str) -> float:
        [value] = of(numbers, metric, recipe=recipe)
        return value

    assert one("image.bytes", "multi-stage") < one("image.bytes", "single-stage") / 10
    assert one("image.layers", "multi-stage") < one("image.layers", "single-stage")
    saved = one("image.bytes", "clean-later") - one("image.bytes", "clean-same")
    assert 32 * 2**20 <= saved < 33 * 2**20  # the downloaded file is still in the layer below
    saved = one("image.context_bytes", "no-ignore") - one("image.context_bytes", "ignore")
    assert 64 * 2**20 <= saved < 65 * 2**20
    assert (
        abs(one("image.bytes", "ignore") - one("image.bytes", "no-ignore")) < 65536
    )  # the context is sent but not copied into the image


def test_pull_fetches_every_layer_and_is_part_of_the_time_to_ready(tare: Tare, tmp_path: Path) -> None:
    targets = ("docker:network=none", "containerd", "podman:network=none")
    arguments = ("pull", *(f"--target={target}" for target in targets), "-p", "layers=1,5", "-p", "image_bytes=4194304")
    numbers, outcomes = measured(tare, tmp_path, *arguments, "--blocks", "2")
    for target in targets:
        for layers in (1, 5):
            shares = of(numbers, "pull.share_ratio", target, layers=layers)
            assert (
                len(shares) == 2
            )  # the second invocation also began without the layers, otherwise it would have failed
            assert all(0 < share < 1 for share in shares)
            [count] = set(of(numbers, "pull.bytes", target, layers=layers))
            assert 4 * 2**20 < count < 5 * 2**20
    rows = [row for _, row in outcomes.iterrows()]
    assert {(row["evidence"]["layers"], row["evidence"]["root"]) for row in rows} == {
        ("1", "1 files"),
        ("5", "5 files"),
    }
    digests = {row["params"]["layers"]: row["evidence"]["image"] for row in rows}
    assert all(
        row["evidence"]["image"] == digests[row["params"]["layers"]] for row in rows
    )  # the same for every engine


def test_image_bytes_are_reproducible_and_the_base_is_shared(tare: Tare, tmp_path: Path) -> None:
    arguments = ("size", "-t", "host", "-t", "docker:network=none", "-t", "containerd", "-p", "base=scratch,busybox")
    numbers, outcomes = measured(tare, tmp_path, *arguments, "--blocks", "2")
    for target in ("host", "docker:network=none", "containerd"):
        for base in ("scratch", "busybox") if target != "host" else ("scratch",):
            for metric in ("image.bytes", "image.compressed_bytes"):
                first, second = of(numbers, metric, target, base=base)
                assert first == second > 0
    [bare] = set(of(numbers, "image.bytes", "host"))
    for target in ("docker:network=none", "containerd"):
        [scratch], [busybox] = (set(of(numbers, "image.bytes", target, base=base)) for base in ("scratch", "busybox"))
        assert bare < scratch < busybox
        assert set(of(numbers, "image.shared_bytes", target, base="scratch")) == {0}
        [shared] = set(of(numbers, "image.shared_bytes", target, base="busybox"))
        assert 0 < shared < busybox
        assert all(0 < value < scratch for value in of(numbers, "image.instance_bytes", target, base="scratch"))
    skipped = outcomes[outcomes["status"] == "skipped"]
    assert set(skipped["target"]) == {"host"}  # a plain program has no base image
    assert all("base" in reason for reason in skipped["reason"])


def test_base_that_an_earlier_benchmark_left_in_the_store_is_counted(tare: Tare, tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        """\
name: after
title: An image is measured after images on the same base were built
scenarios:
  - scenario: image-layers
    targets: ["docker:network=none"]
    blocks: 1
  - scenario: size
    targets: ["docker:network=none"]
    params: {base: busybox}
    blocks: 1
""",
        encoding="utf-8",
    )
    numbers, _ = measured_run(tare, tmp_path, str(suite))
    (whole,), (shared,) = (of(numbers, f"image.{name}") for name in ("bytes", "shared_bytes"))
    assert 0 < shared < whole
