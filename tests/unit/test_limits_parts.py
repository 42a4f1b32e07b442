"""The parts of the limits procedure: what numbers and files mean, for both versions of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.benchmarks.limits import cpu, memory, rate
from bench.benchmarks.limits.cpu import Used
from bench.benchmarks.limits.memory import Growth, Kills
from bench.benchmarks.limits.press import MIB, Counted
from bench.core.clock import Line
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Limits
from bench.invocation import block_devices
from bench.invocation.group import Group, Throttled, parse, wanted
from bench.lab.cgroups import Hierarchy

V1_MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
torn
"""
V1_TABLE = "5:memory:/tare/ab/one\n2:cpu,cpuacct:/tare/ab/one\n1:name=systemd:/init\n0::/\n"


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return tmp_path


# Control groups.


def test_hybrid_host_counts_as_version_1() -> None:
    group = parse(V1_TABLE, V1_MOUNTS)
    assert group is not None
    assert group.version == 1
    assert group.folders["memory"] == Path("/sys/fs/cgroup/memory/tare/ab/one")
    assert group.folders["cpuacct"] == group.folders["cpu"] == Path("/sys/fs/cgroup/cpu,cpuacct/tare/ab/one")
    assert "name=systemd" not in group.folders


def test_version_2_group_has_one_folder() -> None:
    group = parse("0::/tare/ab/one\n", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    assert group == Group(2, {"": Path("/sys/fs/cgroup/tare/ab/one")})


def test_host_without_control_groups_has_no_group() -> None:
    assert parse("0::/\n", "tmpfs /tmp tmpfs rw 0 0\n") is None
    assert parse("", "") is None


def test_version_1_counters_are_read(tmp_path: Path) -> None:
    here = folder(
        tmp_path,
        cpuacct__usage="1500000000\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        cpu__stat="nr_periods 12\nnr_throttled 11\nthrottled_time 5\n",
    )
    group = Group(1, {"cpuacct": here, "memory": here, "cpu": here})
    assert (group.cpu_s(), group.oom_kills(), group.throttled()) == (1.5, 2, Throttled(12, 11))


def test_version_2_counters_are_read(tmp_path: Path) -> None:
    here = folder(
        tmp_path,
        cpu__stat="usage_usec 250000\nuser_usec 1\nnr_periods 4\nnr_throttled 3\n",
        memory__events="low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n",
    )
    group = Group(2, {"": here})
    assert (group.cpu_s(), group.oom_kills(), group.throttled()) == (0.25, 1, Throttled(4, 3))


@pytest.mark.parametrize("version", [1, 2])
def test_counters_of_missing_group_are_none(tmp_path: Path, version: int) -> None:
    gone = tmp_path / "gone"
    group = Group(version, {"": gone, "cpuacct": gone, "memory": gone, "cpu": gone})
    assert (group.cpu_s(), group.oom_kills(), group.throttled(), group.limit("memory")) == (None, None, None, {})


def test_broken_counter_is_none(tmp_path: Path) -> None:
    here = folder(tmp_path, memory__events="oom_kill\noom_kill 1 2\n")
    assert Group(2, {"": here}).oom_kills() is None


READ, WRITE = Limits(device="8:0", read_bytes_per_s=8 * MIB), Limits(device="8:0", write_bytes_per_s=8 * MIB)
IN_FORCE = {
    "cpu": (Limits(), "cpu.cfs_quota_us=50000 cpu.cfs_period_us=100000", "cpu.max=50000_100000"),
    "cpu-shares": (Limits(cpu_shares=512, cpuset="0"), "cpu.shares=512 cpuset.cpus=0", "cpuset.cpus=0"),
    "memory": (Limits(), "memory.limit_in_bytes=67108864", "memory.max=67108864"),
    "memory-swap": (
        Limits(swap_bytes=96 * MIB),
        "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=100663296",
        "memory.max=67108864 memory.swap.max=33554432",
    ),
    "pids": (Limits(pids=32), "pids.max=32", "pids.max=32"),
    "read": (
        READ,
        "blkio.throttle.read_bps_device=8:0_8388608",
        "io.max=8:0_rbps:8388608_wbps:max_riops:max_wiops:max",
    ),
    "write": (
        WRITE,
        "blkio.throttle.write_bps_device=8:0_8388608",
        "io.max=8:0_rbps:max_wbps:8388608_riops:max_wiops:max",
    ),
}
"""Limit → what was asked for, and the files of version 1 and of version 2 that hold it."""


@pytest.mark.parametrize("limit", list(IN_FORCE))
@pytest.mark.parametrize("version", [1, 2])
def test_limit_files_of_both_versions_are_expected(tmp_path: Path, limit: str, version: int) -> None:
    limits, *files = IN_FORCE[limit]
    pairs = (pair.partition("=") for pair in files[version - 1].split())
    content = {
        name: text.replace("_", " ").replace("bps:", "bps=").replace("iops:", "iops=") for name, _, text in pairs
    }
    for name, text in content.items():
        (tmp_path / name).write_text(f"{text}\n")
    group = Group(version, dict.fromkeys(("", "cpu", "cpuset", "memory", "pids", "blkio"), tmp_path))
    assert group.limit(limit) == content
    asked = wanted(limit, 0.5, 64 * MIB, limits)
    assert {name: asked[name] for name in content} == content


# CPU time.


def test_exact_quota_has_ratio_one() -> None:
    found = cpu.of_quota(0.25, 1.0, cpus=0.25)
    assert (found.ratio, found.probe_s) == (1.0, 1.0)
    assert "0.25 CPU" in found.asked


@pytest.mark.parametrize("phase", [0.0, 0.03, 0.05, 0.08])
def test_slope_hardly_depends_on_period_phase(phase: float) -> None:
    """A group with half a CPU runs for 50 of each 100 ms; the difference of the ends would be wrong by up to 5 %."""
    times = [phase + 0.005 * step for step in range(201)]
    seen = [Used(at, at // 0.1 * 0.05 + min(at % 0.1, 0.05)) for at in times]
    assert cpu.slope(seen) == pytest.approx(0.5, rel=0.01)


def test_slope_of_one_reading_fails() -> None:
    with pytest.raises(InvocationFailed, match="looked at 1 times"):
        cpu.slope([Used(1.0, 1.0)])


def test_unused_quota_is_flagged() -> None:
    assert cpu.starved(Throttled(5, 5), Throttled(16, 14)) == ()
    assert cpu.starved(None, Throttled(16, 0)) == ()
    (flag,) = cpu.starved(Throttled(0, 0), Throttled(11, 4))
    assert "only 4 of 11 periods" in flag


def test_shares_are_compared_by_counts() -> None:
    found = cpu.of_shares(Counted(2000, 0.0, 1.0), Counted(1000, 0.01, 1.01), "0")
    assert found.ratio == pytest.approx(1.0)
    assert found.probe_s == pytest.approx(0.99)
    half = cpu.of_shares(Counted(1000, 0.0, 1.0), Counted(1000, 0.0, 1.0), "0")
    assert half.ratio == pytest.approx(0.5)


@pytest.mark.parametrize("late", [0.2, 2.0])
def test_loops_without_overlap_fail(late: float) -> None:
    with pytest.raises(InvocationFailed, match="no real contention"):
        cpu.of_shares(Counted(2000, 0.0, 1.0), Counted(1000, late, late + 1.0), "0")


def test_loop_with_zero_count_fails() -> None:
    with pytest.raises(InvocationFailed, match="did nothing"):
        cpu.of_shares(Counted(2000, 0.0, 1.0), Counted(0, 0.0, 1.0), "0")


def test_count_that_ends_before_it_begins_fails() -> None:
    with pytest.raises(InvocationFailed, match="before its beginning"):
        Counted(1, 2.0, 1.0)


# Memory.

BEFORE, AFTER = Kills(0, 3), Kills(1, 4)


def test_last_reported_size_is_reached_size() -> None:
    lines = [Line(1.0, "A"), Line(2.0, "M 1048576"), Line(3.5, "M 2097152")]
    assert memory.growth(4 * MIB, lines) == Growth(4 * MIB, 2 * MIB, 1.5)
    assert memory.growth(4 * MIB, lines[:1]) == Growth(4 * MIB, 0, 0.0)


def test_oom_kill_counted_by_group_is_proof() -> None:
    found = memory.of_growth(Growth(64 * MIB, 63 * MIB, 0.1), "ended with signal SIGKILL", BEFORE, AFTER)
    assert found.ratio == 63 / 64
    assert found.flags == ()
    assert "1 OOM kill counted by its control group" in found.how


def test_host_oom_count_is_proof_when_group_is_gone() -> None:
    assert "its group was gone" in memory.proof("ended with signal SIGKILL", BEFORE, Kills(None, 4))


@pytest.mark.parametrize(
    ("ended", "after"),
    [
        ("ended with signal SIGKILL", Kills(None, 3)),  # killed, but by somebody else
        ("ended with signal SIGKILL", Kills(0, 3)),
        ("ended with status 71", Kills(None, 4)),  # somebody else was killed
        ("ended with signal SIGKILL", Kills(None, None)),
    ],
)
def test_end_without_oom_proof_fails(ended: str, after: Kills) -> None:
    with pytest.raises(InvocationFailed, match="nothing says that it was killed for want of memory"):
        memory.proof(ended, BEFORE, after)


def test_guest_oom_message_is_proof() -> None:
    ended = (
        "its QEMU has ended; console: [ 3.3] Kernel panic - not syncing: System is deadlocked on memory | …; log: none"
    )
    assert "guest's kernel" in memory.proof(ended, Kills(None, 3), Kills(None, 3))
    with pytest.raises(InvocationFailed):
        memory.proof("its QEMU has ended; console: empty; log: none", Kills(None, 3), Kills(None, 3))


def test_memory_limit_that_does_not_hold_is_flagged() -> None:
    found = memory.of_growth(Growth(64 * MIB, 256 * MIB, 0.1), None, BEFORE, BEFORE)
    assert found.ratio == 4
    assert "not enforced" in found.flags[0]


SWAP = "MemTotal: 1 kB\nSwapTotal:      {} kB\nSwapFree:       {} kB\n"


def test_swap_limit_is_refused_with_reason(tmp_path: Path) -> None:
    v1 = Hierarchy(1, tmp_path, (tmp_path,))
    with pytest.raises(NotApplicable, match="no swap"):
        memory.refuse_swap(SWAP.format(0, 0), v1)
    with pytest.raises(NotApplicable, match="no swap"):
        memory.refuse_swap("MemTotal: 1 kB\n", v1)
    with pytest.raises(NotApplicable, match="only 1 MiB"):
        memory.refuse_swap(SWAP.format(2**20, 1024), v1)
    with pytest.raises(NotApplicable, match=r"memory\.memsw"):
        memory.refuse_swap(SWAP.format(2**20, 2**20), v1)
    (tmp_path / "memory.memsw.limit_in_bytes").touch()
    memory.refuse_swap(SWAP.format(2**20, 2**20), v1)
    memory.refuse_swap(SWAP.format(2**20, 2**20), Hierarchy(2, tmp_path / "none", (tmp_path / "none",)))


# Processes.


def test_payload_counts_as_process() -> None:
    found = memory.of_pids("P 31 Resource temporarily unavailable", 0.5)
    assert (found.ratio, found.probe_s, found.flags) == (1.0, 0.5, ())
    assert "Resource temporarily unavailable" in found.how


def test_pids_limit_that_does_not_hold_is_flagged() -> None:
    assert "not enforced" in memory.of_pids("P 128 all", 0.5).flags[0]


@pytest.mark.parametrize("line", ["P", "P many children", "P 31", "X 31 why"])
def test_malformed_pids_line_fails(line: str) -> None:
    with pytest.raises(InvocationFailed, match="instead of how many children"):
        memory.of_pids(line, 0.5)


# Rates.


def test_rate_is_bytes_per_time() -> None:
    found = rate.of_rate(4 * MIB, 2.0, "how", asked=4 * MIB)
    assert (found.ratio, found.probe_s) == (0.5, 2.0)
    assert found.achieved.startswith("2.000 MiB/s")
    assert found.flags == ()


def test_rate_limit_that_does_not_hold_is_flagged() -> None:
    assert "not enforced" in rate.of_rate(40 * MIB, 1.0, "how", asked=4 * MIB).flags[0]


def disks(tmp_path: Path) -> Path:
    """A disk 8:0 with the partition 8:1, as sysfs shows them."""
    disk = tmp_path / "devices/sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "dev").write_text("8:0\n")
    (disk / "sda1/dev").write_text("8:1\n")
    (disk / "sda1/partition").write_text("1\n")
    block = tmp_path / "block"
    block.mkdir()
    (block / "8:0").symlink_to(disk)
    (block / "8:1").symlink_to(disk / "sda1")
    return block


def test_limit_of_partition_is_set_on_whole_disk(tmp_path: Path) -> None:
    block = disks(tmp_path)
    assert block_devices.whole_disk(os.makedev(8, 0), "/state", block) == "8:0"
    assert block_devices.whole_disk(os.makedev(8, 1), "/state", block) == "8:0"


def test_file_system_without_disk_is_not_applicable(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match=r"'/state' is on no single block device \(0:42\)"):
        block_devices.whole_disk(os.makedev(0, 42), "/state", disks(tmp_path))


@pytest.mark.parametrize("kind", ["read", "write"])
def test_kernel_without_io_throttling_is_not_applicable(tmp_path: Path, kind: str) -> None:
    v1 = Hierarchy(1, tmp_path, (tmp_path,))
    with pytest.raises(NotApplicable, match="CONFIG_BLK_DEV_THROTTLING"):
        block_devices.refuse_throttle(kind, v1)
    (tmp_path / f"blkio.throttle.{kind}_bps_device").touch()
    block_devices.refuse_throttle(kind, v1)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    with pytest.raises(NotApplicable, match="no 'io' among the controllers"):
        block_devices.refuse_throttle(kind, Hierarchy(2, tmp_path, (tmp_path,)))
    (tmp_path / "cgroup.controllers").write_text("cpu io memory pids\n")
    block_devices.refuse_throttle(kind, Hierarchy(2, tmp_path, (tmp_path,)))


ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
DEVICES = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:     866      10    0    0    0     0          0         0     1042      12    0    0    0     0       0          0
"""


def test_interface_is_that_of_default_route() -> None:
    assert rate.default_interface(ROUTES) == "eth0"
    assert rate.default_interface("\n".join(ROUTES.splitlines()[:2])) is None
    assert rate.default_interface("Iface\nlo 00000000 torn") is None


def test_sent_bytes_of_interface_are_read() -> None:
    assert rate.sent_bytes(DEVICES, "eth0") == 1042
    assert rate.sent_bytes(DEVICES, "eth1") is None
    assert rate.sent_bytes("eth0: 1 2 3", "eth0") is None


def test_token_bucket_is_read_back_without_handle() -> None:
    shown = "qdisc noqueue 0: root refcnt 2 \nqdisc tbf 8001: root refcnt 3 rate 67108Kbit burst 32Kb lat 100ms \n"
    assert rate.token_bucket(shown) == "tbf rate 67108Kbit burst 32Kb lat 100ms"
    assert rate.token_bucket("qdisc noqueue 0: root refcnt 2 \n") is None
