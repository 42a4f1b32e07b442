"""Readings of the host: parsers with captured and broken input, both versions of control groups, exhausted limits."""

from __future__ import annotations

import itertools
import os
import resource
from pathlib import Path

import pytest

from bench.core.errors import InvocationFailed
from bench.lab import cgroups
from bench.probes import groups, host, limits, memory, processes
from bench.probes.limits import Counter
from bench.probes.memory import Weight
from bench.probes.processes import Shares

DATA = Path(__file__).parents[1] / "data/proc"
MIB = 2**20


def text(name: str) -> str:
    return (DATA / name).read_text(encoding="ascii")


def test_meminfo_is_parsed_into_bytes_without_plain_counts() -> None:
    info = host.parse_meminfo(text("meminfo"))
    assert info["MemTotal"] == 24684096 * 1024
    assert "HugePages_Total" not in info


def test_meminfo_without_mem_available_is_refused() -> None:
    with pytest.raises(InvocationFailed, match="no MemAvailable: memory cannot be reconciled"):
        host.parse_meminfo(text("meminfo.broken"))


def test_zoneinfo_is_summed_over_all_zones() -> None:
    found = host.parse_zoneinfo(text("zoneinfo"))
    words = text("zoneinfo").split()
    counts = [int(after) for word, after in itertools.pairwise(words) if word == "count:"]
    lows = [int(after) for word, after in itertools.pairwise(words) if word == "low"]
    assert found == host.Zones(sum(counts) * host.PAGE, sum(lows) * host.PAGE)
    assert len(counts) > 2
    assert host.parse_zoneinfo(text("zoneinfo.broken")) is None
    assert host.parse_zoneinfo("") is None


def test_pressure_is_the_total_of_the_line_some() -> None:
    assert host.parse_pressure("some avg10=0.00 avg60=0.10 avg300=0.00 total=1500000\nfull avg10=0 total=9\n") == 1.5
    assert host.parse_pressure(text("pressure")) is not None
    assert host.parse_pressure("full avg10=0 avg60=0 avg300=0 total=9\n") is None


def test_kernel_parts_follow_the_definition_of_mem_available() -> None:
    info = {
        "MemAvailable": 500, "SUnreclaim": 7, "PageTables": 5, "SecPageTables": 2, "KernelStack": 4, "VmallocUsed": 10,
        "Percpu": 3, "Shmem": 20, "KReclaimable": 60, "Active(file)": 100, "Inactive(file)": 100,
    }  # fmt: skip
    zone = host.Zones(free_lists_bytes=30, low_bytes=40)
    assert host.parts(info, zone, stock=2, mapped_shmem=15) == {
        "unreclaimable_slab": 5, "page_tables": 7, "kernel_stacks": 4, "vmalloc": 6, "per_cpu": 3, "tmpfs": 5,
        "withheld": 40 + 30, "free_lists": 30, "slab_stock": 2, "reclaimable_slab": 60,
    }  # fmt: skip
    assert host.available(info, zone, 2) == 532
    assert host.available(info, None, None) == 500


def test_missing_kernel_counters_are_absent_not_zero() -> None:
    assert host.parts({"KernelStack": 4, "VmallocUsed": 0}, None, None, 0) == {"kernel_stacks": 4}
    assert host.parts({"KernelStack": 4, "VmallocUsed": 3}, None, None, 0)["vmalloc"] == 3, (
        "stacks are not mapped there"
    )


def test_slab_stock_counts_free_slots_of_unreclaimable_slabs_only() -> None:
    captured = text("slabinfo")
    assert host.parse_slabinfo(captured, {"kmalloc-1k"}) == (40064 - 22745) * 4 * host.PAGE // 16
    assert host.parse_slabinfo(captured, {"kmalloc-1k", "btrfs_delayed_node"}) == host.parse_slabinfo(
        captured, {"kmalloc-1k"}
    )
    assert host.parse_slabinfo(captured, ()) is None
    assert host.parse_slabinfo(captured[:40], {"kmalloc-1k"}) is None
    assert host.parse_slabinfo("kmalloc-1k 5 broken 1024 16 4 :", {"kmalloc-1k"}) is None


ROLLUP = (DATA / "smaps_rollup").read_bytes()


def test_smaps_rollup_gives_all_sizes() -> None:
    found = processes.parse_rollup(ROLLUP)
    kib = {line.split(b":")[0]: int(line.split()[1]) * 1024 for line in ROLLUP.splitlines()[1:]}
    unique = kib[b"Private_Clean"] + kib[b"Private_Dirty"]
    assert found == Shares(kib[b"Pss"], kib[b"Rss"], unique, kib[b"Pss_Anon"] + kib[b"Pss_Shmem"], kib[b"Pss_Shmem"], 1)
    assert found.anonymous > 0


def test_empty_rollup_gives_none_and_old_kernel_is_refused() -> None:
    assert processes.parse_rollup(b"") is None
    with pytest.raises(InvocationFailed, match="no Pss_Anon"):
        processes.parse_rollup((DATA / "smaps_rollup.linux-5.2").read_bytes())


def test_guest_memory_is_the_mapping_of_the_declared_size() -> None:
    guest = processes.parse_guest((DATA / "smaps-vmm").read_bytes(), 256 * MIB)
    assert guest is not None
    assert guest.pss == guest.rss == guest.anonymous == 122880 * 1024
    assert guest.processes == 0, "it belongs to a process that is counted already"
    assert processes.parse_guest((DATA / "smaps-vmm").read_bytes(), 512 * MIB) is None
    assert processes.parse_guest((DATA / "smaps-vmm.broken").read_bytes(), 256 * MIB) is None


@pytest.mark.parametrize(
    ("comm", "argv", "daemon", "component"),
    [
        ("tare-payload", b"/tare-payload\0--events\0unix:/events\0--sleep\0", False, "payload"),
        ("tare-payload", b"/tare-payload\0--sleep\0", False, "pause"),
        ("pause", b"/pause\0", False, "pause"),
        ("containerd-shim", b"/usr/bin/containerd-shim-runc-v2\0-namespace\0tare\0", True, "shim"),
        ("conmon", b"/usr/bin/conmon\0", True, "conmon"),
        ("qemu-system-x86", b"/usr/bin/qemu-system-x86_64\0", True, "vmm"),
        ("exe", b"runsc-sandbox\0--root=/x\0boot\0", False, "sandbox+gofer"),
        ("exe", b"runsc-gofer\0--root=/x\0", False, "sandbox+gofer"),
        ("exe", b"", False, "sandbox+gofer"),
        ("unshare", b"/usr/bin/unshare\0--pid\0", False, "launcher"),
        ("docker-proxy", b"/usr/bin/docker-proxy\0", True, "proxy"),
        ("dockerd", b"/usr/sbin/dockerd\0", False, "daemon"),
        ("sleep", b"/usr/bin/sleep\0infinity\0", True, "daemon"),
        ("sleep", b"/usr/bin/sleep\0infinity\0", False, "other"),
    ],
)
def test_process_is_classified_by_name_and_arguments(comm: str, argv: bytes, daemon: bool, component: str) -> None:
    assert processes.classify(comm, argv, daemon=daemon) == component
    assert component in processes.COMPONENTS


def test_own_process_is_the_harness_and_ended_processes_are_skipped() -> None:
    found = processes.weigh([os.getpid(), 2**22 + 1], daemons=frozenset(), guest_bytes=None)
    assert list(found) == ["harness"]
    assert 0 < found["harness"].uss <= found["harness"].pss <= found["harness"].rss


def test_only_a_payload_is_recognised_as_payload() -> None:
    assert not processes.is_payload(os.getpid())
    assert not processes.is_payload(2**22 + 1)


@pytest.mark.parametrize("file", ["memory.current", "memory.usage_in_bytes"])
def test_instance_groups_are_summed_without_those_of_the_harness(tmp_path: Path, file: str) -> None:
    for name, size in (("harness", 100), ("lab", 1000), ("tare-1-0", 7), ("pod", 8), ("pod/container", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(f"{size}\n")
    assert groups.charged_below(tmp_path) == groups.Charged(15, 3)


def test_charge_without_control_groups_is_none_not_zero(tmp_path: Path) -> None:
    nothing = groups.Charged(0, 0)
    assert groups.charged_below(tmp_path / "nothing") == nothing
    (tmp_path / "harness").mkdir()
    (tmp_path / "without-controller").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/memory.current").write_text("max\n")
    assert groups.charged_below(tmp_path) == nothing
    assert groups.charged("") is None


def test_controller_is_found_in_either_cgroup_version() -> None:
    v1 = "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\ncgroup /c/m cgroup rw,memory 0 0\n"
    assert cgroups.parse_controller(v1, "memory") == Path("/c/m")
    assert cgroups.parse_controller("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "memory") == Path("/sys/fs/cgroup")
    assert cgroups.parse_controller("tmpfs /x tmpfs rw 0 0\nbroken\n", "memory") is None


def weight(available: int, payload: int = 0, **more: object) -> Weight:
    components = {"harness": Shares(anonymous=50), "payload": Shares(pss=payload, anonymous=payload)}
    return Weight(available, components, {"unreclaimable_slab": 10}, **more)  # type: ignore[arg-type]


def test_memory_taken_is_split_into_growth_and_unexplained_rest() -> None:
    base = Weight(1000, {"harness": Shares(anonymous=50), "daemon": Shares(anonymous=9)}, {"per_cpu": 5}, None, 400)
    now = Weight(
        800,
        {"harness": Shares(anonymous=60), "daemon": Shares(anonymous=19), "payload": Shares(pss=80, anonymous=70)},
        {"per_cpu": 15, "tmpfs": 3, "reclaimable_slab": 1000},
        groups.Charged(123, 4),
        500,
    )
    found = memory.added(base, now)
    assert (found.taken, found.anonymous, found.used_kernel, found.charged) == (200, 90, 10, 123)
    assert found.elsewhere == 10, "all anonymous memory grew by 100, the run's by 90"
    assert found.unexplained == 200 - 90 - 10 - 10
    assert found.sum_of("pss") == 80
    assert "tmpfs" not in found.kernel, "a part without a baseline has no growth"


def test_charge_without_a_new_group_is_none() -> None:
    before, grown = groups.Charged(100, 2), groups.Charged(150, 3)
    assert memory.added(weight(0, charged=before), weight(0, charged=grown)).charged == 50
    assert memory.added(weight(0, charged=before), weight(0, charged=groups.Charged(90, 2))).charged is None
    assert memory.added(weight(0), weight(0)).charged is None


def test_readings_agree_within_half_a_percent_or_the_slack() -> None:
    slack = 128 * 1024
    assert memory.agree([(10 * MIB,), (10 * MIB + slack,)], None)
    assert not memory.agree([(10 * MIB,), (10 * MIB + slack + 1,)], None)
    assert memory.agree([(0,), (MIB,)], 200 * MIB), "half a percent of 200 MiB"
    assert not memory.agree([(0, 5), (0, 6 * MIB)], 200 * MIB), "every number must agree"


def test_settling_ends_when_three_readings_agree_or_at_the_deadline() -> None:
    falling = iter([9 * MIB, 5 * MIB, 2 * MIB, 2 * MIB, 2 * MIB])
    seen: list[int] = []

    def read() -> Weight:
        seen.append(next(falling))
        return weight(seen[-1])

    found, still = memory.settled(read, 30)
    assert still
    assert (found.available, len(seen)) == (2 * MIB, 5)
    restless = iter(range(0, 100 * MIB, MIB))
    assert not memory.settled(lambda: weight(next(restless)), 0.05)[1]


def test_vmm_without_an_identified_guest_is_detected() -> None:
    vmm = {"vmm": Shares(processes=1)}
    assert memory.without_guest(Weight(0, vmm, {}))
    assert not memory.without_guest(Weight(0, {**vmm, "guest": Shares()}, {}))
    assert not memory.without_guest(Weight(0, {}, {}))


FULL = Counter("processes (kernel.pid_max)", 32500, 32768)
FREE = Counter("processes (kernel.pid_max)", 300, 32768)
FILES = Counter("open files (fs.file-max)", 10, 1000)


@pytest.mark.parametrize(
    ("error", "known", "says"),
    [
        ("whatever", [FREE, FULL], "processes (kernel.pid_max): 32500 of 32768 in use; the error: whatever"),
        ("adding veth1 to bridge docker0 failed: exchange full", [FREE], "ports of one bridge (no counter)"),
        ("accept: Too many open files", [FREE, FILES], "open files (open files (fs.file-max): 10 of 1000 in use)"),
        ("fork: Cannot allocate memory", [FREE], "memory (MemAvailable 3.00 MiB)"),
        (
            "clone: Resource temporarily unavailable",
            [FREE],
            "processes (processes (kernel.pid_max): 300 of 32768 in use)",
        ),
        ("something else", [FREE], "an error that names no resource known here: something else"),
    ],
)
def test_exhausted_resource_is_named_with_its_numbers(error: str, known: list[Counter], says: str) -> None:
    assert says in limits.name_of(error, known, 3 * MIB)


UNKNOWN = "unknown: an error that names no resource known here"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("set /proc/self/oom_score_adj: permission denied", UNKNOWN),
        ("open /srv/bathroom: no such file or directory", UNKNOWN),
        ("open /srv/oom/x: permission denied", UNKNOWN),
        ("read /srv/threads/fork: resource temporarily unavailable", UNKNOWN),
        ("open /srv/inotify: too many open files", "open files"),
        ("wait: no child processes", UNKNOWN),
        ("read: resource temporarily unavailable", UNKNOWN),
        (
            "Another app holds the xtables lock; iptables: Resource temporarily unavailable",
            "the lock of the packet filter",
        ),
        ("dial unix /run/c.sock: connect: resource temporarily unavailable", "connections that wait at a socket"),
        ("create process: dial /x.sock: resource temporarily unavailable", "connections that wait at a socket"),
        ("fork/exec /usr/bin/shim: resource temporarily unavailable", "processes"),
        ("runtime: failed to create new OS thread (have 9 already; errno=11)", "processes"),
        ("inotify_init1: too many open files", "inotify instances"),
        ("fsnotify: add watch: no space left on device", "inotify watches"),
        ("open /var/x: too many open files in system", "open files"),
        ("unshare: no space left on device", "namespaces"),
        ("mkdir /sys/fs/cgroup/a: no space left on device", "control groups"),
        ("write /var/lib/x: no space left on device", "space: of a file system"),
        ("join session keyring: create session key: disk quota exceeded", "keys of a user"),
        ("write /home/x: disk quota exceeded", "the quota of a file system"),
        ("container was OOMKilled", "memory"),
        ("no bathroom: mmap: cannot allocate memory", "memory"),
    ],
)
def test_resource_is_named_by_the_error_and_what_it_was_about(error: str, says: str) -> None:
    named = limits.name_of(error, [FREE, FILES], 3 * MIB)
    assert named.startswith(says)
    assert named.endswith(error)


def test_unreadable_counters_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "sys/fs").mkdir()
    (tmp_path / "loadavg").write_text("0.1 0.2 0.3 2/345 999\n")
    (tmp_path / "sys/kernel/pid_max").write_text("4194304\n")
    (tmp_path / "sys/kernel/threads-max").write_text("broken\n")
    (tmp_path / "sys/fs/file-nr").write_text("512\t0\t1000\n")
    (tmp_path / "sys/fs/file-max").write_text("1000\n")
    found = {counter.name: counter for counter in limits.counters("", tmp_path) if "group" not in counter.name}
    assert found["processes (kernel.pid_max)"] == Counter("processes (kernel.pid_max)", 345, 4194304)
    assert found["open files (fs.file-max)"].used == 512
    assert "threads (kernel.threads-max)" not in found
    assert "ports of one bridge" not in found


def test_bridge_ports_are_the_veth_devices_of_the_labs_namespace(tmp_path: Path) -> None:
    (tmp_path / "7/net").mkdir(parents=True)
    (tmp_path / "7/net/dev").write_text("Inter-|\n face |\n    lo: 0\ndocker0: 0\nveth1a: 0\n veth2b: 0\n")
    assert limits.bridge_ports([6, 7], tmp_path) == 2
    assert limits.bridge_ports([], tmp_path) is None


def test_floor_is_the_given_one_or_a_tenth_but_at_least_one_gibibyte() -> None:
    assert limits.floor_bytes(0, 64 * 2**30) == 64 * 2**30 // 10
    assert limits.floor_bytes(0, 4 * 2**30) == 2**30
    assert limits.floor_bytes(5, 4 * 2**30) == 5


def test_open_files_of_this_process_are_counted() -> None:
    found = [counter for counter in limits.counters() if counter.name == "open files of this process"]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert [counter.limit for counter in found] == ([] if soft == resource.RLIM_INFINITY else [soft])
