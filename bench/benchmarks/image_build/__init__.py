"""Benchmark ``image-build``: how long builds take and how large images become, by build practice."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric
from bench.invocation.metrics import IMAGE_BYTES, IMAGE_LAYERS

_RECIPES = (
    *("good-order", "bad-order", "multi-stage", "single-stage", "many-run", "one-run"),
    *("clean-same", "clean-later", "ignore", "no-ignore"),
)

PRIMES = 100_000
"""Size of the generated table: making and compiling it takes three times as long as compiling the application."""

_METRICS = (
    IMAGE_BYTES,
    IMAGE_LAYERS,
    Metric("image.build_s", "s", "lower", 1e-3, 0.05, exact=False, title="build"),
    Metric("image.context_bytes", "bytes", "lower", 0, 0.0, exact=True, title="sent to the builder"),
)

BENCHMARK = Benchmark(
    name="image-build",
    package=__name__,
    metrics=_METRICS,
    params={
        "recipe": Param("good-order", "how the image is built", _RECIPES),
        "primes": Param(
            PRIMES, "size of the table that the library makes and compiles: work of a cold build", minimum=10
        ),
    },
    primary=("image.build_s",),
)
