"""A visit of one release: copy the checkout in, set up, try every target, measure once, and see that nothing stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import store
from tests.hosts import keeper, settings
from tests.hosts.archive import CannotBuildError
from tests.hosts.inside import Entry
from tests.hosts.keeper import CHECKOUT, TARE

ROOT = Path(__file__).parent.parent.parent
SETUP_S, DOCTOR_S, RUN_S, SWEEP_S = 2400, 900, 1200, 120
"""Time limits of the steps, seconds."""


@dataclass(frozen=True)
class Step:
    """One command inside: its name, exit code, duration, the CPU time of all its processes, and the file with its output."""

    name: str
    code: int
    took_s: float
    cpu_s: float
    log: Path


@dataclass
class Visit:
    """What was found in one release.

    Attributes:
        suite: The release.
        steps: The commands that were run, in order.
        targets: Target → what doctor found (``ok``, ``says``, ``remedy``).
        parts: What could not be set up, as doctor says it (``name``, ``says``, ``remedy``).
        measured: Target → status → number of invocations of scenario startup.
        failed: Target → why its invocations failed, or why it was left out of the scenario.
        ready_s: Target → median time to ready, seconds.
        unbuilt: Why there is no root file system; everything else is empty then.
    """

    suite: str
    steps: list[Step] = field(default_factory=list)
    targets: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    parts: list[Mapping[str, Any]] = field(default_factory=list)
    measured: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    ready_s: dict[str, float] = field(default_factory=dict)
    unbuilt: str = ""


class InterruptedVisitError(Exception):
    """SIGINT or SIGTERM was received; everything inside was ended."""


class RootFs:
    """A root file system in which commands run.

    Args:
        suite: The release.
        folder: Where its files are: ``base``, ``root``, ``cache`` and ``log``.
    """

    def __init__(self, suite: str, folder: Path) -> None:
        self.suite = suite
        self.folder = folder
        self.root = folder / "root"
        self._env, self._shared = settings.environment()

    def prepare(self, base: Path) -> None:
        """Lay a fresh copy of the release and of the checkout; keep what was downloaded before."""
        if self.root.exists():
            shutil.rmtree(self.root)
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(self.root)], check=True)
        for name in ("log", "cache/apt/partial", "cache/pip"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        copy_checkout(ROOT, self.root / CHECKOUT.lstrip("/"))

    def run(self, name: str, argv: Sequence[str], timeout_s: float) -> Step:
        """Run a command in the checkout inside; its output goes to a file.

        Raises:
            InterruptedVisitError: This process was interrupted.
        """
        log = self.folder / "log" / f"{name}.txt"
        begin, before_s = time.monotonic(), _children_s()
        with log.open("wb") as out:
            code = self._keep(self.entry(argv), out.fileno(), timeout_s)
        return Step(name, code, time.monotonic() - begin, _children_s() - before_s, log)

    def entry(self, argv: Sequence[str]) -> Entry:
        """Return what starts a command in the checkout inside."""
        kept = {
            "/var/cache/apt/archives": str(self.folder / "cache/apt"),
            "/root/.cache/pip": str(self.folder / "cache/pip"),
        }
        return Entry(str(self.root), f"tare-{self.suite}", tuple(argv), CHECKOUT, self._env, self._shared, kept)

    def shell(self) -> int:
        """Run a shell in the checkout inside, on this terminal; return its exit code."""
        with keeper.start(self.entry(["bash"]), foreground=True) as process:
            return process.wait()

    def _keep(self, entry: Entry, out: int, timeout_s: float) -> int:
        """Start a keeper and wait for it; the end of its standard input is what ends it early."""
        argv = [sys.executable, "-m", "tests.hosts.keeper", entry.dump()]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=out, stderr=out, env=env, start_new_session=True, cwd="/"
        ) as process:
            try:
                return process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.communicate()  # closes its standard input
                return 124
            except KeyboardInterrupt:
                process.communicate()
                raise InterruptedVisitError(self.suite) from None


def _children_s() -> float:
    """Return the CPU time of all processes that ended below this one, seconds."""
    times = os.times()
    return times.children_user + times.children_system


def copy_checkout(source: Path, target: Path) -> None:
    """Copy the files of a checkout as they are in the working tree, without what git ignores.

    Raises:
        CannotBuildError: It is no checkout, or there is no git.
    """
    argv = ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        msg = f"'{source}' is no checkout whose files git can list: {os.fsdecode(done.stderr).strip()}"
        raise CannotBuildError(msg)
    for name in map(os.fsdecode, filter(None, done.stdout.split(b"\0"))):
        if (source / name).is_file():  # not one that was deleted
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


def visit(rootfs: RootFs, engines: Sequence[str], targets: Sequence[str], tell: Callable[[str, Step], None]) -> Visit:
    """Set up, examine, measure and sweep in a root file system; no engine and no target named stands for all."""
    found = Visit(rootfs.suite)

    def step(name: str, argv: Sequence[str], timeout_s: float) -> Step:
        found.steps.append(rootfs.run(name, argv, timeout_s))
        tell(rootfs.suite, found.steps[-1])
        return found.steps[-1]

    chosen = [word for target in targets for word in ("-t", target)]
    step("setup", ["make", "setup", *([f"ENGINES={' '.join(engines)}"] if engines else [])], SETUP_S)
    if (rootfs.root / TARE.lstrip("/")).exists():
        doctor = step("doctor", [TARE, "doctor", "--json", *chosen], DOCTOR_S)
        read_doctor(found, doctor.log.read_text(encoding="utf-8"))
        step("startup", [TARE, "run", "startup", *chosen, "--blocks", "2", "--warmup", "0"], RUN_S)
        read_run(found, rootfs.root / CHECKOUT.lstrip("/") / "results")
        step("sweep", [TARE, "sweep"], SWEEP_S)
    return found


def read_doctor(found: Visit, text: str) -> None:
    """Read the output of ``tare doctor --json``; nothing is read from one that failed."""
    said = _json(text)
    found.targets = {one["name"]: one for one in said.get("targets", [])}
    found.parts = said.get("parts", [])


def doctor_here(targets: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return what doctor says of these targets on this host; nothing without targets."""
    if not targets:
        return {}
    argv = [sys.executable, "-m", "bench", "doctor", "--json", *(word for name in targets for word in ("-t", name))]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DOCTOR_S)
    return {one["name"]: one for one in _json(done.stdout).get("targets", [])}


def _json(text: str) -> dict[str, Any]:
    """Return the object in a program's output, empty when there is none; warnings may stand before it."""
    try:
        said = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def read_run(found: Visit, results: Path) -> None:
    """Read the only run of a results folder; nothing is read when there is none."""
    folders = sorted(path for path in results.glob("20*") if path.is_dir())
    if not folders:
        return
    run = store.load(folders[-1])
    outcomes, values = store.outcomes(run), store.measurements(run)
    for (target, status), rows in outcomes.groupby(["target", "status"]):
        found.measured.setdefault(str(target), {})[str(status)] = len(rows)
    for row in outcomes[outcomes["status"] != "ok"].itertuples():
        found.failed.setdefault(str(row.target), []).append(f"{row.status}: {row.reason}")
    for one in store.skipped(run):
        found.failed.setdefault(one.target, []).append(f"left out: {one.reason}")
    ready = values[values["metric"] == "startup.ready_s"]
    found.ready_s = {str(target): float(rows["value"].median()) for target, rows in ready.groupby("target")}
