"""Benchmark ``hardening``: what each switch that makes an instance safer changes, and what it costs."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param
from bench.core.metrics import Metric


def _time(name: str, title: str, floor: float) -> Metric:
    return Metric(f"hardening.{name}_s", "s", "lower", floor, 0.05, exact=False, title=title)


def _ratio(name: str, title: str) -> Metric:
    return Metric(f"hardening.{name}_ratio", "ratio", "lower", 0.01, 0.05, exact=False, title=title)


def _fact(name: str, title: str, *, yes_no: bool = False) -> Metric:
    return Metric(
        f"hardening.{name}", "count", "lower", 0, 0.0, exact=True, title=title, may_be_zero=True, yes_no=yes_no
    )


_METRICS = (
    _time("start", "request → ready", 0.002),
    _ratio("start", "start ÷ that of the engine's default"),
    _time("call", "one call", 2e-9),
    _ratio("call", "call ÷ that of the engine's default"),
    _fact("calls_answered", "system calls that answer"),
    _fact("calls_refused", "system calls refused (EPERM)"),
    _fact("calls_missing", "system calls that do not exist (ENOSYS)"),
    _fact("calls_killed", "system calls that end the caller"),
    _fact("host_calls", "system calls that its filters let through to the host"),
    _fact("published_answered", "calls of Docker's published list that answer"),
    _fact("capabilities", "capabilities a program can get"),
    _fact("effective_capabilities", "capabilities in force"),
    _fact("documented_capabilities", "capabilities by the documentation"),
    _fact("filters", "filters of system calls"),
    _fact("no_new_privileges", "no new privileges", yes_no=True),
    _fact("own_users", "users of the host's own", yes_no=True),
    _fact("root_programs", "programs that run as the host's root"),
    _fact("own_groups", "control groups of its own"),
    _fact("writable_mounts", "writable mounts"),
    _fact("hidden_paths", "hidden paths"),
    _fact("read_only_paths", "read-only paths"),
    _fact("devices", "device nodes"),
    _fact("acts", "privileged acts that succeed"),
    _fact("act", "privileged act", yes_no=True),
    _time("first_start", "first start of an image → ready", 0.002),
    _time("second_start", "second start of it → ready", 0.002),
    Metric(
        "hardening.added_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="disk use added", may_be_zero=True
    ),
)

BENCHMARK = Benchmark(
    name="hardening",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "part": Param(
            "switches",
            "what is measured: the price and the effect of a switch, or what mapped users cost an image of many files",
            allowed=("switches", "files"),
        ),
        "switch": Param(
            "default",
            "what differs from the engine's default; all: every switch that the target has but its filters and rootless",
            allowed=(
                *("default", "user", "userns", "read-only", "no-capabilities", "no-new-privileges"),
                *("no-filter", "long-filter", "no-apparmor", "no-selinux", "rootless", "all"),
            ),
        ),
        "pairs": Param(2, "pairs of an instance with the switch and one without", minimum=1),
        "milliseconds": Param(30, "how long each call is repeated", minimum=1),
        "files": Param(1000, "files of the image, in the part of that name", minimum=1),
    },
    primary=("hardening.start_ratio", "hardening.call_ratio"),
)
