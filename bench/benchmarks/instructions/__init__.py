"""Benchmark ``instructions``: how many layers each instruction of a Dockerfile adds to an image."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, exact_counts

_count = exact_counts("instruction")

BENCHMARK = Benchmark(
    name="instructions",
    package=__name__,
    metrics=(
        _count("layers", "layers that it adds"),
        _count("filled_layers", "layers with something in them"),
        _count("history", "entries in the image's history"),
    ),
    params={"only": Param("all", "the instructions that are tried", allowed=("all", "few"))},
    primary=("instruction.layers", "instruction.filled_layers"),
)
