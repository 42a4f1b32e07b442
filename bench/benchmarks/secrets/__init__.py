"""Benchmark ``secrets``: where a secret can be found, by the way in which it came to an instance; and what images carry."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, exact_counts
from bench.core.metrics import Metric

_fact = exact_counts("secrets")


BENCHMARK = Benchmark(
    name="secrets",
    package=__name__,
    metrics=(
        _fact("found", "the secret is found", yes_no=True),
        _fact("places", "places where the secret is found"),
        Metric(
            "secrets.left",
            "count",
            "lower",
            0,
            0.0,
            exact=False,
            title="the secret is still on the disk when all is removed",
            may_be_zero=True,
            yes_no=True,
        ),
        _fact("packages", "packages"),
        _fact("files", "files"),
        _fact("executables", "executable files"),
        _fact("privileged", "files with a set-user-id or set-group-id bit"),
        _fact("shells", "shells"),
        _fact("listed", "packages that a scanner lists"),
        Metric("secrets.sbom_s", "s", "lower", 0.01, 0.05, exact=False, title="a scanner lists what an image carries"),
    ),
    params={
        "part": Param("routes", "what is looked for: a secret, or what images carry", allowed=("routes", "images")),
        "route": Param(
            "env",
            "how the secret comes to the instance",
            allowed=(
                *("env", "build-arg", "copy-then-remove", "copy-all", "copy-all-ignored"),
                *("run-environment", "mounted-file", "tmpfs-file"),
            ),
        ),
        "base": Param("busybox", "base image, in the part of images", allowed=("busybox", "debian", "compiler")),
    },
    primary=("secrets.places", "secrets.privileged"),
)
