"""Limits on a rate: reading from and writing to a block device, and the network."""

from __future__ import annotations

import os
from pathlib import Path

from bench.benchmarks.limits.press import MIB, Finding, Pressed, result_of, started
from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.engines.base import Bind, Limits
from bench.invocation.block_devices import refuse_throttle, whole_disk
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import cgroups

RATE = 8 * MIB
"""Bytes per second asked for: less than any disk does, and more than the granularity of a throttle."""
_FILE_BYTES = 64 * MIB
"""Length of the file that is read and written: as much as the payload goes through before it begins again."""
_FAR = 2
"""How many times the rate is no inexactness of a throttle any more (gVisor reads and writes through the host's page cache)."""
_BURST_BYTES = 32 * 1024
"""What may pass at once: some 4 ms of the rate, and more than the largest frame (tc-tbf(8))."""
_NO_INTERFACE = {
    "host": "shares the host's network: a limit there would be the host's",
    "none": "has no network but loopback",
}


def read(context: InvocationContext) -> InvocationResult:
    """Have the payload read past the page cache against a limit on reading from the device."""
    return _transfer(context, "read")


def write(context: InvocationContext) -> InvocationResult:
    """Have the payload write past the page cache against a limit on writing to the device."""
    return _transfer(context, "write")


def _transfer(context: InvocationContext, kind: str) -> InvocationResult:
    refuse_throttle(kind, cgroups.hierarchy())
    folder = context.lab.paths.run / "scratch"
    with context.account.barrier():
        _make_file(folder)
    device = whole_disk(folder.stat().st_dev, str(context.lab.paths.state))
    limits = Limits(device=device, **{f"{kind}_bytes_per_s": RATE})  # type: ignore[arg-type]
    action = (f"--{kind}", f"{{scratch}}/file:{context.params['milliseconds']}")
    binds = (Bind("scratch", folder, read_only=False),)
    with started(context, *action, limit=kind, limits=limits, binds=binds) as pressed:
        _refuse_silence(pressed, kind)
        pressed.go()
        moved = pressed.counted(kind)
        how = f"64 KiB at a time past the page cache on block device {device}, counted by the payload, stamped on the host"
        return result_of(pressed, of_rate(moved.count, moved.window_s, how))


def of_rate(count: int, window_s: float, how: str, asked: int = RATE) -> Finding:
    """Return the finding for bytes in a time against a rate."""
    achieved = count / window_s
    said = f"{achieved / MIB:.3f} MiB/s in {window_s:.3f} s"
    flags = () if achieved <= _FAR * asked else (f"limit: not enforced, {said}: something on the way takes it all",)
    return Finding(achieved / asked, window_s, f"{asked / MIB:.3g} MiB/s", said, how, flags)


def _refuse_silence(pressed: Pressed, kind: str) -> None:
    """Refuse a version 2 host whose groups have the controller but no file for this limit."""
    if pressed.group is not None and not pressed.group.limit(kind):
        msg = f"the control group of '{pressed.context.engine.target.text}' has no file for a limit on block I/O"
        raise NotApplicable(msg)


def _make_file(folder: Path) -> None:
    """Write the file that is read and written, unless it is there: completely, so that no block is allocated later."""
    file = folder / "file"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        block = os.urandom(MIB)  # neither holes nor what a file system could press together to nothing
        with file.open("wb") as out:
            for _ in range(_FILE_BYTES // MIB):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())


def network(context: InvocationContext) -> InvocationResult:
    """Have the payload send against a token bucket on its interface.

    No engine here limits a network's rate by itself; the bucket is what the CNI plugin ``bandwidth`` would make, set from
    outside on the interface of the live instance. So its start has no cost, and none is reported.

    Raises:
        NotApplicable: The instance has no network of its own, or the kernel no token bucket.
    """
    with started(context, "--send", str(context.params["milliseconds"])) as pressed:
        interface = _interface(pressed)
        with context.account.engine():
            words = _limit_interface(pressed, interface)
        before = _sent(pressed, interface)
        pressed.go()
        window = pressed.counted("send").window_s
        how = f"bytes that left {interface}, counted by the kernel, until the payload's queue was empty; {words} from outside"
        finding = of_rate(_sent(pressed, interface) - before, window, how)
        evidence = {**finding.evidence, "limit tc": words}
        return result_of(pressed, _with(finding, evidence), with_ready=False)


def _with(finding: Finding, evidence: dict[str, str]) -> Finding:
    return Finding(**{**vars(finding), "evidence": evidence})


def _interface(pressed: Pressed) -> str:
    """Return the interface of the instance's default route.

    Raises:
        NotApplicable: There is none.
    """
    text = pressed.context.engine.target.text
    why = _NO_INTERFACE.get(pressed.evidence.get("network", ""), "has no network interface of its own")
    if pressed.pid is None or pressed.evidence.get("network") in (None, *_NO_INTERFACE):
        msg = f"'{text}' {why}"
        raise NotApplicable(msg)
    found = default_interface(Path(f"/proc/{pressed.pid}/net/route").read_text(encoding="ascii"))
    if found is None:
        msg = f"'{text}' has a network without a default route"
        raise NotApplicable(msg)
    return found


def default_interface(routes: str) -> str | None:
    """Return the interface of the default route in a table of routes (proc_pid_net(5)), ``None`` without one."""
    rows = [line.split() for line in routes.splitlines()[1:]]
    return next((row[0] for row in rows if len(row) > 7 and row[1] == "00000000" == row[7]), None)


def sent_bytes(table: str, interface: str) -> int | None:
    """Return the bytes that left an interface, from its line in /proc/net/dev; ``None`` without one."""
    for line in table.splitlines():
        name, colon, numbers = line.partition(":")
        if colon and name.strip() == interface and len(numbers.split()) > 8:
            return int(numbers.split()[8])
    return None


def _sent(pressed: Pressed, interface: str) -> int:
    found = sent_bytes(Path(f"/proc/{pressed.pid}/net/dev").read_text(encoding="ascii"), interface)
    if found is None:
        msg = f"the interface {interface} of '{pressed.instance.name}' is not in its table of interfaces"
        raise InvocationFailed(msg)
    return found


def _limit_interface(pressed: Pressed, interface: str) -> str:
    """Put the token bucket on the interface, in the instance's own network namespace, and return it as it was read back."""
    try:
        nsenter, tc = proc.find("nsenter", "install util-linux"), proc.find("tc", "install iproute2")
    except TargetUnavailable as error:
        raise NotApplicable(str(error)) from error
    inside = [nsenter, f"--net=/proc/{pressed.pid}/ns/net", "--", tc, "qdisc"]
    bucket = ["rate", f"{RATE}bps", "burst", str(_BURST_BYTES), "latency", "100ms"]
    done = proc.run([*inside, "add", "dev", interface, "root", "tbf", *bucket], timeout_s=30)
    if done.status != 0:
        said = " ".join((done.stderr or done.stdout).split())
        msg = f"neither the engine nor this kernel can limit a network's rate (a token bucket is refused: {said})"
        raise NotApplicable(msg)
    found = token_bucket(proc.run([*inside, "show", "dev", interface], timeout_s=30).check().stdout)
    if found is None:
        msg = f"the token bucket that was put on {interface} is not there"
        raise InvocationFailed(msg)
    return found


def token_bucket(shown: str) -> str | None:
    """Return ``tbf rate …`` from what ``tc qdisc show`` prints, handles and counters left out; ``None`` without one."""
    for line in shown.splitlines():
        words = line.split()
        if words[:2] == ["qdisc", "tbf"] and "rate" in words:
            return " ".join(["tbf", *words[words.index("rate") :]])
    return None
