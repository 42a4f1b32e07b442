"""The calling end of a network workload: the payload and its tools inside an instance, or native programs at the second host.

Both run the same steps one at a time, each when it is told to; the host reads the CPU time of the whole machine before and after
each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from bench.benchmarks.network_modes.far import servers
from bench.core import proc
from bench.core.clock import Channel, Line, now_s
from bench.core.errors import InvocationFailed
from bench.engines.abilities import NetworkPath
from bench.engines.base import Bind, Instance, InstanceSpec
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext
from bench.lab import images, network, tools
from bench.lab.network import ANSWERS, CONNECTS, STREAMS
from bench.workloads import iperf3, sockperf

_TOOLS = ("iperf3", "sockperf")
_PATIENT_MS = 600_000
"""How long the payload waits for its next step: longer than any invocation lasts, milliseconds."""
Kind = Literal["streams", "datagrams", "answers", "connects"]


@dataclass(frozen=True)
class Step:
    """One test.

    Attributes:
        kind: What is done.
        streams: Connections at once.
        direction: ``out``: the instance sends.
        part: The part of the scenario's time that it runs for; iperf3 and sockperf take whole seconds.
    """

    kind: Kind
    streams: int = 1
    direction: iperf3.Direction = "out"
    part: float = 1.0

    @property
    def name(self) -> str:
        """The step in words."""
        return f"{self.streams} {self.direction}" if self.kind == "streams" else self.kind


@dataclass(frozen=True)
class Heard:
    """The result of one step.

    Attributes:
        text: The program's output, or the payload's lines.
        seconds: From its beginning (a program's: from when it was told to begin) to its end, stamped on the host.
        cpu_s: CPU time of the whole host during the step.
    """

    text: str
    seconds: float
    cpu_s: float


class Near(Protocol):
    """A calling end."""

    def run(self, step: Step) -> Heard:
        """Run a step to its end."""
        ...


_ALL = (
    Step("streams", 1, "out"),
    Step("answers"),
    Step("streams", 1, "in"),
    Step("connects"),
    Step("streams", 0, "out"),
    Step("datagrams"),
    Step("streams", 0, "in"),
)
"""Every test; 0 stands for the number of streams of the test with several."""
_BASIC = (Step("streams", 1, "out"), Step("answers"), Step("connects", part=0.25))


def order(block: int, streams: int, *, basic: bool = False) -> tuple[Step, ...]:
    """Return the steps of a block, rotated by one per block so that none is always first; ``basic``: fewer, shorter steps."""
    steps = tuple(replace(step, streams=step.streams or streams) for step in (_BASIC if basic else _ALL))
    first = block % len(steps)
    return steps[first:] + steps[:first]


def host_cpu_s(text: str, ticks: int = os.sysconf("SC_CLK_TCK")) -> float:
    """Return CPU seconds of all CPUs from /proc/stat (proc(5)): idle, waiting for a disk and stolen time left out.

    Time of guests is in that of their user.
    """
    user, nice, system, _, _, irq, softirq, *_ = map(int, text.split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / ticks


def _cpu_s() -> float:
    return host_cpu_s(Path("/proc/stat").read_text(encoding="ascii"))


def words(step: Step, path: NetworkPath, seconds: int) -> list[str]:
    """Return the arguments of a step's program; those of ``connects`` are one action of the payload."""
    base = path.first_port or network.PORTS[0]
    port = {kind: base + offset for offset, kind in enumerate(("streams", "connects", "answers"))}
    reverse = (step.direction == "in") != path.turned
    if step.kind == "streams":
        return iperf3.client(path.address, port["streams"], seconds, step.streams, reverse=reverse)
    if step.kind == "datagrams":
        return iperf3.datagrams(path.address, port["streams"], seconds, reverse=reverse)
    if step.kind == "answers":
        return sockperf.client(path.address, port["answers"], seconds)
    return ["connect", f"{path.address}:{port['connects']}:{round(1000 * seconds * step.part)}"]


def spec(context: InvocationContext, path: NetworkPath, steps: Sequence[Step]) -> InstanceSpec:
    """Return the instance's spec: the steps, each of which waits to be told, or the servers.

    It has no limits, because a CPU quota would be measured, too.

    Raises:
        TargetUnavailable: A tool is not installed.
    """
    folders = {name: tools.folder(context.lab.paths.state, name).path for name in _TOOLS}
    work = context.lab.paths.run / f"network-{context.invocation.index}"
    work.mkdir(exist_ok=True)
    seconds = int(context.params["seconds"])
    lines = _servers() if path.turned else [line for step in steps for line in _lines(step, path, seconds)]
    (work / "script").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    binds = (*(Bind(name, folder) for name, folder in folders.items()), Bind("work", work))
    arguments = [word for name in _TOOLS for word in ("--place", f"{name}={{{name}}}")]
    return life.spec_of(
        context, (*arguments, "--script", "{work}/script", "--sleep"), binds=binds, cpus=None, memory_bytes=None
    )


def _inside(name: str) -> str:
    """Return the beginning of a program's command line inside an instance."""
    mark = f"{{{name}}}"
    return f"{mark}/ld.so --library-path {mark}/lib {mark}/bin/{name}"


def _lines(step: Step, path: NetworkPath, seconds: int) -> Iterator[str]:
    yield f"wait {_PATIENT_MS}"
    program = {"connects": "", "answers": f"run {_inside('sockperf')} "}.get(step.kind, f"run {_inside('iperf3')} ")
    yield program + " ".join(words(step, path, seconds))


def _servers() -> list[str]:
    return [
        f"spawn {_inside('iperf3')} {' '.join(iperf3.server(STREAMS))}",
        f"accept {CONNECTS}",
        f"spawn {_inside('sockperf')} {' '.join(sockperf.server(ANSWERS))}",
    ]


@dataclass
class Inside:
    """The payload in the instance: it is told to begin each step, and reports when it begins and ends."""

    context: InvocationContext
    instance: Instance
    channel: Channel
    deadline_s: float

    def run(self, step: Step) -> Heard:
        """Run the next step of the script, which must be this one."""
        verb = "connect" if step.kind == "connects" else "run"
        after, before, asked_s = len(self.channel.lines), _cpu_s(), now_s()
        self._ask()
        end = self.channel.wait_line(f"C {verb}", self._left(), self.instance.alive, after=after)
        cpu_s = _cpu_s() - before
        lines = [line for line in self.channel.lines[after:] if line.at_s <= end.at_s]
        found = heard(lines, verb, cpu_s)
        # A program reports its own time, which is only checked: a late stamp on a busy host must not make the step look shorter.
        return found if verb == "connect" else replace(found, seconds=end.at_s - asked_s)

    def _ask(self) -> None:
        if not poke.go_on(self.instance, self.channel):
            msg = f"the payload of '{self.instance.name}' is gone"
            raise InvocationFailed(msg)

    def _left(self) -> float:
        return max(0.0, self.deadline_s - now_s())


def heard(lines: Sequence[Line], verb: str, cpu_s: float) -> Heard:
    """Read a payload's lines about one step, from ``B VERB`` to ``C VERB …``.

    Raises:
        InvocationFailed: The step did not begin, or the far end stopped answering.
    """
    begin = next((line for line in lines if line.text == f"B {verb}"), None)
    said = [line.text for line in lines]
    if begin is None:
        msg = f"the payload did not say 'B {verb}', but: {' | '.join(said)[-300:] or 'nothing'}"
        raise InvocationFailed(msg)
    if why := next((text for text in said if text.startswith("E connect")), None):
        msg = f"after '{said[-1]}' the far end did not answer any more: {why.removeprefix('E connect ')}"
        raise InvocationFailed(msg)
    text = "\n".join(text[2:] for text in said if text.startswith(("O ", "C connect")))
    return Heard(text, lines[-1].at_s - begin.at_s, cpu_s)


@dataclass
class Outside:
    """Native programs in another network namespace, which call the instance's published ports."""

    context: InvocationContext
    pid: int
    path: NetworkPath

    def run(self, step: Step) -> Heard:
        """Run a step's program."""
        seconds = int(self.context.params["seconds"])
        arguments = words(step, self.path, seconds)
        if step.kind == "connects":
            return self._connect(arguments[1])
        program = proc.find("sockperf" if step.kind == "answers" else "iperf3", iperf3.REMEDY)
        before, begin = _cpu_s(), now_s()
        done = proc.run([*network.inside(self.pid), program, *arguments], timeout_s=self.context.timeout_s)
        self.context.keep(step.name, done.stdout + done.stderr)
        return Heard(
            f"{done.stdout}\n{done.stderr}" if done.status else done.stdout, now_s() - begin, _cpu_s() - before
        )

    def _connect(self, what: str) -> Heard:
        events = self.context.lab.paths.run / "e" / f"{self.context.invocation.index}-far"
        program = str(images.payload(self.context.lab.paths.state).path)
        with self.context.hub.channel(events) as channel:
            before = _cpu_s()
            argv = [*network.inside(self.pid), program, "--events", f"unix:{events}", "--connect", what, "--exit"]
            proc.run(argv, timeout_s=self.context.timeout_s)
            channel.wait_line("C connect", self.context.timeout_s)
            return heard(channel.lines, "connect", _cpu_s() - before)


__all__ = ["Heard", "Inside", "Near", "Outside", "Step", "heard", "host_cpu_s", "order", "servers", "spec", "words"]
