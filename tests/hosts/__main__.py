"""The command line of ``make hosts``."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from collections.abc import Sequence

from bench.lab.paths import state_dir
from tests.hosts import archive, table
from tests.hosts.archive import BuildFailedError, CannotBuildError, Source
from tests.hosts.visit import InterruptedVisitError, RootFs, Step, Visit, doctor_here, visit

FINE, USAGE, CANNOT, BROKEN, INTERRUPTED = 0, 2, 3, 4, 130
SUITES = ("trixie", "sid")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hosts",
        description="Set Tare up in other releases of Debian on this kernel, try every target, measure scenario startup once.",
        epilog="Exit code: 0 everything that should work does; 4 something does not; 3 this host cannot build a Debian; 130 interrupted.",
    )
    parser.add_argument("suites", nargs="*", default=SUITES, metavar="SUITE", help="releases; default: trixie sid")
    parser.add_argument("-e", "--engine", action="append", default=[], help="set up only this engine (repeatable)")
    parser.add_argument("-t", "--target", action="append", default=[], help="try only this target (repeatable)")
    parser.add_argument("--shell", action="store_true", help="enter the root file systems as the last visit left them")
    return parser.parse_args(arguments)


def visit_all(suites: Sequence[str], engines: Sequence[str], targets: Sequence[str]) -> list[Visit]:
    """Visit each release, one after the other."""
    source = archive.read_source()
    visits = []
    for suite in suites:
        try:
            visits.append(visit_one(suite, source, engines, targets))
        except BuildFailedError as error:
            visits.append(Visit(suite, unbuilt=str(error)))
    return visits


def visit_one(suite: str, source: Source, engines: Sequence[str], targets: Sequence[str]) -> Visit:
    """Build a release if needed, and visit it; one at a time."""
    folder = state_dir() / "hosts" / suite
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print(f"{suite}: root file system", flush=True)
        rootfs = RootFs(suite, folder)
        rootfs.prepare(archive.ensure(suite, folder, source))
        return visit(rootfs, engines, targets, tell)


def tell(suite: str, step: Step) -> None:
    """Print how one command ended."""
    print(f"{suite}: {step.name} ended with {step.code} after {step.took_s:.0f} s ({step.log})", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Visit the releases and print what was found."""
    chosen = parse(arguments)
    if os.geteuid() != 0:
        print("not root: root file systems are entered by mounts and namespaces", file=sys.stderr)
        return CANNOT
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job begins with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    if chosen.shell:
        return max(RootFs(suite, state_dir() / "hosts" / suite).shell() for suite in chosen.suites)
    try:
        visits = visit_all(chosen.suites, chosen.engine, chosen.target)
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return CANNOT
    except (InterruptedVisitError, KeyboardInterrupt):
        print("interrupted; everything inside was ended", file=sys.stderr)
        return INTERRUPTED
    return report(visits)


def report(visits: Sequence[Visit]) -> int:
    """Print what was found, with this host beside it where something failed; return the exit code."""
    here = doctor_here(table.failing(visits))
    shown = [*visits, Visit("this host", targets=here)] if here else visits
    print(table.render(shown))
    wrong = table.wrong(visits, here)
    print("\n".join(wrong) or "everything that should work does")
    return BROKEN if wrong else FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
