"""Facts about this host, by name, and the fingerprint of those that make measurements incomparable."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from bench.core import kernelfiles
from bench.core.model import Facts
from bench.lab.cgroups import hierarchy
from bench.lab.paths import state_dir

EPOCH = frozenset(
    {
        "kernel", "cpu.model", "cpu.microcode", "cpu.mitigations", "cpu.governor", "cpu.turbo", "cpu.smt", "cpu.count",
        "cpu.implementer", "cpu.part", "cpu.variant", "cpu.revision",
        "cgroup.version", "memory.total", "memory.numa_nodes", "memory.swap", "filesystem", "hypervisor", "firmware",
    }
)  # fmt: skip
"""Facts whose change starts a new epoch (docs/method.md); engine versions are covariates and do not."""
_AROUND = frozenset({"inside", "outer.kernel", "outer.cpu.model"})
"""Facts of a guest's surroundings that start a new epoch."""
_NODES = Path("/sys/devices/system/node")


_VIRTUAL = (
    *("QEMU", "KVM", "VMware", "VirtualBox", "innotek", "Xen", "Bochs", "Parallels", "BHYVE", "OpenStack"),
    "Virtual Machine",
)
"""Words in the DMI's vendor or product that only virtual machines have."""
_CLOUDS = (
    *(
        "Amazon",
        "Google",
        "Alibaba",
        "Tencent",
        "DigitalOcean",
        "Hetzner",
        "Vultr",
        "Scaleway",
        "Oracle",
        "Huawei",
        "OVH",
    ),
    "UpCloud",
)
"""DMI vendors that rent out virtual machines, and some of them whole hosts."""


def host() -> Facts:
    """Return the host's facts; facts that cannot be read are left out."""
    values = {
        "host": platform.node(),
        "os": _os_name(),
        "architecture": platform.machine(),
        "kernel": f"{platform.release()} {platform.version()}",
        "python": platform.python_version(),
        **_cpu(),
        **_memory(),
        "cgroup.version": str(hierarchy().version) + (" hybrid" if hierarchy().hybrid else ""),
        "filesystem": filesystem_of(state_dir()),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "init": _read("/proc/1/comm"),
        "privilege": "root" if os.geteuid() == 0 else "user",
    }
    return Facts({key: value for key, value in values.items() if value}, EPOCH)


def within(facts: Facts, surroundings: Mapping[str, str]) -> Facts:
    """Return a guest's facts together with those of its surroundings."""
    return Facts({**facts.values, **surroundings}, facts.epoch | (_AROUND & frozenset(surroundings)))


def fingerprint(facts: Facts) -> str:
    """Return a hash of the epoch's facts, 16 hex digits; runs with the same fingerprint are comparable."""
    text = "\n".join(f"{key}={facts.values[key]}" for key in sorted(facts.epoch) if key in facts.values)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cpu() -> dict[str, str]:
    info = _read("/proc/cpuinfo")
    sys = "/sys/devices/system/cpu"
    turbo = _read(f"{sys}/intel_pstate/no_turbo")
    boost = _read(f"{sys}/cpufreq/boost")
    return {
        **processor(info),
        "cpu.microcode": _field(info, "microcode"),
        "cpu.count": str(os.cpu_count() or ""),
        "cpu.usable": str(len(os.sched_getaffinity(0))),
        "cpu.smt": _read(f"{sys}/smt/control"),
        "cpu.governor": _read(f"{sys}/cpu0/cpufreq/scaling_governor"),
        "cpu.turbo": {"0": "on", "1": "off"}.get(turbo, "") or {"1": "on", "0": "off"}.get(boost, ""),
        "cpu.mitigations": mitigations(Path(f"{sys}/vulnerabilities")),
        "cpu.clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "hypervisor": hypervisor(info),
        "firmware": " ".join(_read(f"/sys/class/dmi/id/{name}") for name in ("bios_vendor", "bios_version")).strip(),
    }


def processor(cpuinfo: str) -> dict[str, str]:
    """Return the processor's model from /proc/cpuinfo, and its numbers where the kernel gives those instead of a name.

    ARM has implementer, part, variant and revision (MIDR_EL1); a machine with several kinds of cores has several values. POWER
    has ``cpu``, RISC-V ``uarch`` or ids.
    """
    numbers = {name: _distinct(cpuinfo, f"CPU {name}") for name in ("implementer", "part", "variant", "revision")}
    ids = {name: _distinct(cpuinfo, name) for name in ("mvendorid", "marchid", "mimpid")}
    model = _field(cpuinfo, "model name") or _field(cpuinfo, "cpu") or _field(cpuinfo, "uarch")
    if not model:
        model = " ".join(f"{name} {value}" for name, value in {**numbers, **ids}.items() if value)
    return {"cpu.model": model, **{f"cpu.{name}": value for name, value in numbers.items()}}


def mitigations(folder: Path) -> str:
    """Return ``name: state`` of each vulnerability that affects this CPU, given /sys/devices/system/cpu/vulnerabilities."""
    states = {name: _read(str(folder / name)) for name in sorted(kernelfiles.names(folder))}
    return "; ".join(f"{name}: {state}" for name, state in states.items() if state not in ("", "Not affected"))


def _memory() -> dict[str, str]:
    info = _read("/proc/meminfo")
    return {
        "memory.total": _rounded(_field(info, "MemTotal")),
        "memory.swap": _field(info, "SwapTotal"),
        "memory.thp": _chosen(_read("/sys/kernel/mm/transparent_hugepage/enabled")),
        "memory.ksm": _read("/sys/kernel/mm/ksm/run"),
        "memory.numa_nodes": str(sum(re.match(r"node\d", name) is not None for name in kernelfiles.names(_NODES))),
    }


def _rounded(size: str) -> str:
    """Round a size of /proc/meminfo to 64 MiB, because the memory reserved by firmware and kernel varies between boots."""
    return f"{64 * round(int(size.split(maxsplit=1)[0]) / 1024 / 64)} MiB" if size else ""


def hypervisor(cpuinfo: str, sys: Path = Path("/sys"), device_tree: Path = Path("/proc/device-tree")) -> str:
    """Return the hypervisor below this host, ``none`` when there is certainly none, else ``unknown``.

    Only x86 processors say whether there is one (the flag ``hypervisor``, CPUID 1:ECX[31]), and some clouds hide it.
    """
    dmi = sys / "class/dmi/id"
    vendor, product = _read(dmi / "sys_vendor"), _read(dmi / "product_name")
    named = _read(sys / "hypervisor/type") or _read(device_tree / "hypervisor/compatible").strip("\0")
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    if flags is not None and "hypervisor" in flags[1].split():
        return named or vendor or "present"
    if named:
        return named
    if any(word in f"{vendor} {product}" for word in _VIRTUAL):
        return vendor or product
    if flags is None or (any(word in vendor for word in _CLOUDS) and "metal" not in product.lower()):
        return "unknown"
    return "none"


def filesystem_of(path: Path) -> str:
    """Return type and mount options of the file system that holds ``path``."""
    best = ("", "")
    for _, escaped, kind, options, *_ in filter(
        lambda row: len(row) >= 4, kernelfiles.split(_read("/proc/self/mounts"))
    ):
        point = _unescaped(escaped)
        inside = point == "/" or Path(point) == path or Path(point) in path.parents
        if inside and len(point) >= len(best[0]):
            best = (point, f"{kind} {_without_places(options)}")
    return best[1]


def _unescaped(path: str) -> str:
    """Return a path of a mount table, in which blanks and backslashes are octal (proc_pid_mounts(5))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _without_places(options: str) -> str:
    """Remove mount options that name folders or sizes, which differ between otherwise equal hosts."""
    places = ("lowerdir=", "upperdir=", "workdir=", "size=", "nr_inodes=")
    return ",".join(option for option in options.split(",") if not option.startswith(places))


def _os_name() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    return match.group(1) if match else platform.system()


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    match = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def _distinct(text: str, name: str) -> str:
    """Return the distinct values of a field in the order of their appearance."""
    return " ".join(dict.fromkeys(re.findall(rf"^{re.escape(name)}[ \t]*:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)))


def _chosen(text: str) -> str:
    match = re.search(r"\[(\w+)\]", text)
    return match.group(1) if match else ""


def as_meta(facts: Facts) -> Mapping[str, object]:
    """Return the facts as keys of ``run.json``."""
    return {"facts": dict(facts.values), "fingerprint": fingerprint(facts), "epoch": sorted(facts.epoch)}
