"""Starting processes: status, output, limits, and nothing left running."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import bench
from bench.core import descriptors as given_descriptors
from bench.core import kernelfiles, proc, proctable
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable

PYTHON = sys.executable


def test_run_returns_status_and_output() -> None:
    done = proc.run(
        [PYTHON, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], timeout_s=30
    )
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.user_s + done.system_s > 0
    with pytest.raises(InvocationFailed, match="ended with status 3: err"):
        done.check()


def test_timeout_kills_the_whole_process_group(tmp_path: Path) -> None:
    mark = f"tare-test-{os.getpid()}"
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{mark}']); time.sleep(60)"
    with pytest.raises(InvocationTimeout, match=r"still runs after 1 s"):
        proc.run([PYTHON, "-c", script], timeout_s=1)
    assert not proctable.wait_until_gone(proctable.with_argument(mark), 5)


def test_missing_program_is_reported_with_the_remedy() -> None:
    with pytest.raises(InvocationFailed, match="cannot start '/nonexistent/x': No such file"):
        proc.run(["/nonexistent/x"], timeout_s=1)
    with pytest.raises(TargetUnavailable, match="'no-such-program' is not on PATH"):
        proc.find("no-such-program", "install it")


def test_stop_sends_sigterm_first_and_then_sigkill() -> None:
    polite = proc.spawn([PYTHON, "-c", "import time; time.sleep(60)"])
    assert polite.stop(grace_s=10) == -signal.SIGTERM
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    read, write = os.pipe()
    stubborn = proc.spawn([PYTHON, "-c", script], stdout=write)
    os.read(read, 1)  # from here on it ignores SIGTERM
    assert stubborn.stop(grace_s=0.2) == -signal.SIGKILL
    os.close(read)
    os.close(write)


def test_child_gets_a_small_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARE_TEST_SECRET", "x")
    done = proc.run(
        [PYTHON, "-c", "import os; print('TARE_TEST_SECRET' in os.environ, 'PATH' in os.environ)"], timeout_s=30
    )
    assert done.stdout.split() == ["False", "True"]


def test_descriptor_is_inherited_only_on_request(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file:
        script = "import os; os.write(7, b'hello')"
        assert proc.spawn([PYTHON, "-c", script], keep={7: file.fileno()}).wait(30) == 0
        assert (tmp_path / "f").read_text() == "hello"
        assert proc.spawn([PYTHON, "-c", script]).wait(30) != 0


def test_signal_to_an_ended_process_is_not_sent() -> None:
    process = proc.spawn([PYTHON, "-c", "pass"])
    assert process.wait(30) == 0
    process.send(signal.SIGKILL)
    assert process.stop(1) == 0


def test_no_other_module_starts_a_process() -> None:
    package = Path(bench.__file__).parent
    words = ("subprocess", "os.system", "os.fork", "posix_spawn(")
    found = {path for path in package.rglob("*.py") if any(word in path.read_text(encoding="utf-8") for word in words)}
    separate = "engines/libvirt/reaper.py"  # a program of its own
    assert {path.relative_to(package).as_posix() for path in found} == {"core/proc.py", separate}


def test_two_threads_polling_one_process_get_the_same_status() -> None:
    for _ in range(40):
        process = proc.spawn(["/bin/sh", "-c", "exit 3"])
        seen: list[object] = []
        together = threading.Barrier(4)

        def ask(ask_it: Callable[[], int | None], seen: list[object], together: threading.Barrier) -> None:
            together.wait(10)
            try:
                while (status := ask_it()) is None:
                    pass
            except Exception as error:  # noqa: BLE001 - the test wants to see any
                seen.append(error)
            else:
                seen.append(status)

        asks = [process.poll, process.poll, process.poll, lambda: process.wait(10)]  # noqa: B023 - joined below
        threads = [threading.Thread(target=ask, args=(one, seen, together)) for one in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert seen == [3, 3, 3, 3]


def descriptors(pid: int) -> set[int]:
    """Return the open descriptors of a process once it executes ``sleep``; exec(2) closes them after vfork(2) has returned."""
    folder, deadline = Path(f"/proc/{pid}/fd"), now_s() + 10
    while len(found := kernelfiles.numbers(folder)) > 4 and now_s() < deadline:
        sleep_s(0.001)
    return set(found)


@pytest.mark.parametrize("range_call", [True, False])
def test_callers_descriptors_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, range_call: bool
) -> None:
    """``flock FILE tare nightly`` leaves FILE open in ``tare``; without ``close_range`` (Linux 5.11) it works, too."""
    if not range_call:
        monkeypatch.setattr(given_descriptors, "_close_range", lambda: False)
    with (tmp_path / "lock").open("w") as lock, (tmp_path / "kept").open("w") as kept:
        os.set_inheritable(lock.fileno(), True)
        left_open = fcntl.fcntl(lock.fileno(), fcntl.F_DUPFD, 77)  # inheritable, and a number that nothing else has
        try:
            sleeper = proc.spawn(["/bin/sleep", "60"], keep={7: kept.fileno()})
            same = proc.spawn(["/bin/sleep", "60"], keep={kept.fileno(): kept.fileno()})
            assert descriptors(sleeper.pid) == {0, 1, 2, 7}
            assert descriptors(same.pid) == {0, 1, 2, kept.fileno()}
        finally:
            os.close(left_open)
            sleeper.stop(5)
            same.stop(5)
