"""The lab's daemons: started once, waited for, reported when they die, ended in reverse order."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab import daemons as lab_daemons
from bench.lab import journal
from bench.lab.daemons import Daemons, listens
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths

SH = proc.find("sh", "install a shell")


class Namespace(LabNamespace):
    """The namespaces that this process is in anyway; records set-up commands instead of running them."""

    def __init__(self) -> None:
        self.covered = set()
        self.ran: list[list[str]] = []

    def prefix(self) -> list[str]:
        """Return nothing to put before a command."""
        return []

    def run(self, argv: Sequence[str]) -> proc.Completed:
        """Record a command."""
        self.ran.append(list(argv))
        return proc.Completed(tuple(argv), 0, "", "", 0.0, 0.0)


class Cgroup:
    """A control group that only remembers its processes."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def adopt(self, pid: int) -> None:
        """Remember a process."""
        self.pids.append(pid)

    def daemons(self) -> set[int]:
        """Return the processes that it remembers."""
        return set(self.pids)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    paths = Paths.of("aa", tmp_path)
    paths.make()
    book = journal.Journal(paths.journal)
    made = Daemons(paths, book, Namespace(), cast("Any", Cgroup()))
    yield made
    made.close()
    book.close(done=True)


def start(daemons: Daemons, name: str, script: str = "sleep 60", **options: Any) -> Path:
    """Start a shell that makes a file and then runs the script; return the file."""
    path = daemons.home(name) / "ready"
    daemons.start(name, [SH, "-c", f": >{path}; {script}"], path.exists, **options)
    return path


def test_daemon_is_journalled_adopted_and_started_once(daemons: Daemons) -> None:
    start(daemons, "one")
    pid = daemons.running["one"].pid
    start(daemons, "one")
    assert daemons.running["one"].pid == pid
    assert cast("Cgroup", daemons.cgroup).pids == [pid]
    assert [entry["name"] for entry in journal.read(daemons.paths.journal)] == ["one"]
    assert daemons.dead() == {}


def test_daemon_gets_its_environment_beside_the_usual_one(daemons: Daemons) -> None:
    log = daemons.paths.run / "log" / "one.log"
    argv = [SH, "-c", 'echo "$GREETING:$PATH"; sleep 60']
    daemons.start("one", argv, lambda: log.exists() and log.read_text().endswith("\n"), env={"GREETING": "hello"})
    assert log.read_text().strip() == f"hello:{proc.environment()['PATH']}"


def test_daemon_that_ends_at_once_is_an_error_with_its_last_words(daemons: Daemons) -> None:
    with pytest.raises(LabError, match=r"the lab's one did not start \(.*3.*\): no such switch"):
        daemons.start("one", [SH, "-c", "echo no such switch >&2; exit 3"], lambda: False)
    assert daemons.running == {}


def test_daemon_that_is_never_ready_is_ended(daemons: Daemons, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_daemons, "_START_S", 0.05)
    with pytest.raises(LabError, match=r"the lab's one did not start \(no answer within .*\): its log is empty"):
        daemons.start("one", [SH, "-c", "sleep 60"], lambda: False)
    assert daemons.running == {}


def test_dead_daemon_is_reported_with_its_last_words(daemons: Daemons) -> None:
    start(daemons, "one", "echo out of luck; kill -KILL $$")
    start(daemons, "two")
    deadline = now_s() + 5
    while not daemons.dead() and now_s() < deadline:
        sleep_s(0.01)
    (said,) = daemons.dead().values()
    assert said.startswith("one ended with ")
    assert signal.SIGKILL.name in said
    assert said.endswith("out of luck")


def test_clients_close_before_daemons_end_in_reverse_order(daemons: Daemons) -> None:
    notes = daemons.paths.run / "notes"
    for name in ("one", "two"):
        start(daemons, name, f"trap 'echo {name} >>{notes}; exit 0' TERM; while :; do sleep 0.01; done")
    daemons.clients.callback(lambda: notes.write_text("client\n"))
    daemons.close()
    assert notes.read_text().split() == ["client", "two", "one"]
    assert daemons.running == {}


def test_hidden_folder_is_covered_by_an_empty_file_system(daemons: Daemons, tmp_path: Path) -> None:
    LabNamespace.hide(daemons.namespace, tmp_path / "theirs")
    ((mount, *options, place),) = cast("Namespace", daemons.namespace).ran
    assert (mount, place) == ("mount", str(tmp_path / "theirs"))
    assert "tmpfs" in options
    LabNamespace.hide(daemons.namespace, Path("/"))  # covered already
    assert len(cast("Namespace", daemons.namespace).ran) == 1


def test_file_is_covered_once_by_a_text_or_another_file(daemons: Daemons, tmp_path: Path) -> None:
    table, device, node = tmp_path / "subuid", tmp_path / "tun", tmp_path / "node"
    for _ in range(2):
        daemons.cover(table, "nobody:1:2\n")
        daemons.cover(device, node)
    written = daemons.paths.run / "cover-subuid"
    assert written.read_text() == "nobody:1:2\n"
    ran = cast("Namespace", daemons.namespace).ran
    assert [argv[-2:] for argv in ran] == [[str(written), str(table)], [str(node), str(device)]]
    assert daemons.namespace.covered == {table, device}


def test_companions_of_daemons_end_with_them_if_they_are_still_the_labs(daemons: Daemons) -> None:
    ours, other = (proc.spawn([proc.find("sleep", "install coreutils"), "60"]) for _ in range(2))
    try:
        daemons.cgroup.adopt(ours.pid)
        daemons.companions = {ours.pid, other.pid}
        daemons.close()
        assert ours.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert not daemons.companions
    finally:
        for process in (ours, other):
            process.stop(0, signal.SIGKILL)


def test_socket_listens_only_while_it_accepts(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert not listens(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert listens(path)
    assert not listens(path)
