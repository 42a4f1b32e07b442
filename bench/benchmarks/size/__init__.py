"""Benchmark ``size``: the size of the same application in each form."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, Question
from bench.core.metrics import Metric
from bench.invocation.metrics import IMAGE_BYTES, IMAGE_LAYERS

_BASES = ("scratch", "busybox", "debian", "compiler")

_METRICS = (
    IMAGE_BYTES,
    Metric("image.compressed_bytes", "bytes", "lower", 0, 0.0, exact=True, title="compressed"),
    Metric("image.shared_bytes", "bytes", "higher", 0, 0.0, exact=True, title="shared with others"),
    Metric("image.instance_bytes", "bytes", "lower", 4096, 0.02, exact=False, title="each further instance"),
    IMAGE_LAYERS,
)

BENCHMARK = Benchmark(
    name="size",
    package=__name__,
    metrics=_METRICS,
    params={"base": Param("scratch", "what the application is packed with", _BASES)},
    primary=("image.bytes",),
    questions=(Question("On disk", "the same program", "Capacity", "image.bytes", {"base": "scratch"}),),
)
