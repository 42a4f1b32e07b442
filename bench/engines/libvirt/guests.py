"""Guests for virtual machines, made from what was provisioned, and the proof of whether KVM can run one.

``minimal`` is a kernel and an initramfs whose PID 1 is the payload: the least that a machine can be. ``full`` is a
Debian with systemd on a disk, which starts the same payload as a service. Both report over their second serial port.
The kernel is Debian's cloud kernel, unchanged: its 8250 driver is built in, so that no module has to be loaded before
the payload can speak.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from bench.core import proc
from bench.core.clock import EventHub
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable, TargetUnavailable
from bench.core.model import Phase
from bench.engines.libvirt import initramfs
from bench.lab import images

if TYPE_CHECKING:
    from bench.lab import Lab

_REMEDY = "run 'tare provision guest_images' as root"
_TRIAL_S = 10.0
"""A guest that KVM can run is ready in about a second; one that it cannot run aborts at once or hangs for ever."""
_TRIAL_MACHINE = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "256"]
_TRIAL_MACHINE += ["-machine", "q35", "-accel", "kvm", "-cpu", "host"]
_EVENTS = "--events tty:/dev/ttyS1"
_MOST_ARGUMENTS = 32
"""With that many the kernel panics (CONFIG_INIT_ENV_ARG_LIMIT, init/main.c)."""
_CMDLINE = "console=ttyS0 quiet loglevel=1 reboot=t panic=-1 no_timer_check"
"""A silent console, but for what the payload and a panic say (the kernel raises its log level then, unless that is 0); a
panic ends the machine at once. With KVM each byte on a serial port is an exit; emulated, the boot messages cost nothing
that shows. ``no_timer_check``: on a busy host an emulated timer may come too late for the kernel, which panics then ("IO-APIC +
timer doesn't work!"); with KVM it leaves that check out by itself (arch/x86/kernel/kvm.c)."""
_SERVICE = b"""[Service]
ExecStart=
ExecStart=/usr/local/bin/tare-payload --events tty:/dev/ttyS1 $TARE_ARGUMENTS
"""
"""Lets the kernel's command line say what the payload is to do (systemd.service(5): unbraced, so split into words)."""
_SETUP_BYTES = 64 * 512
"""The most that comes before a kernel's compressed part (``setup_sects``)."""
_KERNEL_BYTES = 100 * 2**20
"""Memory that the kernel and the payload take themselves, rounded up."""
_MACHINE_ID = b"0123456789abcdef0123456789abcdef\n"
"""Without one systemd takes each boot for the first and sets the system up again (machine-id(5)): a second more."""


@dataclass(frozen=True)
class Guest:
    """What a machine boots.

    Attributes:
        name: ``minimal`` or ``full``.
        kernel: The kernel's file.
        initrd: Its initramfs.
        cmdline: The kernel's command line without the payload's arguments.
        disk: A raw disk that is never written to, or ``None``.
        digests: SHA-256 of ``kernel``, ``initrd`` and ``payload``, and for ``disk`` of what it was made from.
    """

    name: str
    kernel: Path
    initrd: Path
    cmdline: str
    disk: Path | None
    digests: Mapping[str, str]

    def command(self, arguments: Sequence[str]) -> str:
        """Return the kernel's command line that has the payload run with these arguments.

        Raises:
            InvocationFailed: An argument has a character that the command line cannot carry, or there are too many.
        """
        for argument in arguments:
            if not argument or set(argument) & set(" \t\n\"'$\\"):
                msg = f"a kernel's command line cannot carry the payload argument '{argument}' (blank, quote, $ or \\)"
                raise InvocationFailed(msg)
        words = " ".join(arguments)
        if self.disk is None:
            count = len(_EVENTS.split()) + len(arguments)
            if count >= _MOST_ARGUMENTS:
                msg = f"a kernel passes fewer than {_MOST_ARGUMENTS} arguments to its first process, {count} were given"
                raise InvocationFailed(msg)
            return f"{self.cmdline} -- {_EVENTS} {words}"
        return f'{self.cmdline} systemd.setenv="TARE_ARGUMENTS={words}"'


@dataclass(frozen=True)
class Accelerator:
    """What runs a guest's instructions on this host, and how that was found out."""

    name: Literal["kvm", "tcg"]
    why: str


def minimal(state: Path, kernel: Path | None = None) -> Guest:
    """Return the guest whose PID 1 is the payload; without a ``kernel`` it boots the one that was provisioned.

    Raises:
        TargetUnavailable: Its kernel was not provisioned or is none, or this is not x86-64.
    """
    if kernel is not None:
        release(kernel)
    kernel = _provisioned(kernel or state / "guest" / "kernel" / "vmlinuz")
    initrd = initramfs.initramfs(state)
    digests = {"kernel": _digest(kernel), "initrd": initrd.digest, "payload": images.payload(state).digest}
    return Guest("minimal", kernel, initrd.path, f"{_CMDLINE} rdinit={images.PAYLOAD}", None, digests)


def release(kernel: Path) -> str:
    """Return what a kernel calls itself (``uname -r``), from its header (Linux, arch/x86/boot.rst: ``kernel_version``).

    Raises:
        TargetUnavailable: It is no kernel that a PC boots.
    """
    with kernel.open("rb") as file:
        head = file.read(_SETUP_BYTES)
    if head[0x202:0x206] != b"HdrS":
        msg = f"'{kernel}' is no Linux kernel that a PC boots (bzImage)"
        raise TargetUnavailable(msg, "give the file that is installed as /boot/vmlinuz-VERSION")
    at = 0x200 + int.from_bytes(head[0x20E:0x210], "little")
    words = head[at : at + 128].partition(b"\0")[0].decode(errors="replace").split()
    return words[0] if words else "unknown"


def with_folders(guest: Guest, folders: Mapping[str, Path], memory_bytes: int) -> Guest:
    """Return the guest that has folders of the host, as they are now, in its initramfs.

    Raises:
        NotApplicable: The guest has a disk of its own, or too little memory to unpack the folders in.
    """
    if not folders:
        return guest
    names = ", ".join(sorted(folders))
    if guest.disk is not None:
        msg = f"the {guest.name} guest boots from its own disk and takes no folder of the host ({names}); use guest=minimal"
        raise NotApplicable(msg)
    initrd = initramfs.with_folders(images.Artifact(guest.initrd, guest.digests["initrd"]), folders)
    # While the kernel unpacks it the archive is there twice, and the file system that it goes to takes half the memory at most.
    needed = _KERNEL_BYTES + 2 * initrd.path.stat().st_size
    if memory_bytes < needed:
        msg = f"a machine of {memory_bytes} bytes cannot unpack the folders {names}; give it memory_bytes={needed} or more"
        raise NotApplicable(msg)
    return replace(guest, initrd=initrd.path, digests={**guest.digests, "initrd": initrd.digest})


def full(state: Path) -> Guest:
    """Return the Debian guest, writing its disk with the payload when it is not there yet.

    Raises:
        TargetUnavailable: It was not provisioned, this is not x86-64, or the payload cannot be put into it.
    """
    folder = state / "guest" / "full"
    kernel, initrd, base = (_provisioned(folder / name) for name in ("vmlinuz", "initrd.img", "base.ext4"))
    source = images.payload(state)
    digest = images.sha256(f"{_digest(base)} {source.digest}".encode() + _SERVICE + _MACHINE_ID)
    disk = folder / f"{digest[:16]}.raw"
    if not disk.exists():
        for stale in folder.glob("*.raw"):
            stale.unlink()
        _write_disk(disk, base, source)
    digests = {"kernel": _digest(kernel), "initrd": _digest(initrd), "payload": source.digest, "disk": digest}
    return Guest("full", kernel, initrd, f"{_CMDLINE} root=/dev/vda rootfstype=ext4 rw", disk, digests)


def _provisioned(path: Path) -> Path:
    if platform.machine() != "x86_64":
        msg = f"the guests are x86-64 machines and this host is {platform.machine()}"
        raise TargetUnavailable(msg, "measure virtual machines on an x86-64 host")
    if not path.is_file():
        msg = f"the guest image '{path}' is not there"
        raise TargetUnavailable(msg, _REMEDY)
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_disk(disk: Path, base: Path, source: images.Artifact) -> None:
    """Copy the base without its holes, add the payload, and give it its name only when it was read back."""
    temporary = disk.with_name(f".{disk.stem}.{os.getpid()}")
    try:
        proc.run(
            [proc.find("cp", "install coreutils"), "--sparse=always", str(base), str(temporary)], timeout_s=300
        ).check()
        inject(temporary, "/usr/local/bin/tare-payload", source.path.read_bytes(), 0o755)
        inject(temporary, "/etc/systemd/system/tare-payload.service.d/arguments.conf", _SERVICE, 0o644)
        inject(temporary, "/etc/machine-id", _MACHINE_ID, 0o444)
        _check(temporary)
        temporary.rename(disk)
    finally:
        temporary.unlink(missing_ok=True)


def inject(disk: Path, name: str, content: bytes, mode: int) -> None:
    """Write a file into an ext4 image without mounting it, and read it back.

    Raises:
        TargetUnavailable: What is read back is not what was written.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, copy, script = (Path(folder) / part for part in ("source", "copy", "script"))
        source.write_bytes(content)
        parents = [str(parent) for parent in reversed(Path(name).parents)]
        # mkdir on a folder that is there leaves an unconnected inode behind, so only the missing ones are made
        lines = [f"mkdir {parent}" for parent in parents if not _debugfs(disk, "-R", f"stat {parent}").stdout]
        lines += [f"rm {name}", f"cd {parents[-1]}", f"write {source} {Path(name).name}"]
        lines += [f"sif {name} {field}" for field in (f"mode 0{0o100000 | mode:o}", "uid 0", "gid 0")]
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        said = _debugfs(disk, "-w", "-f", str(script)).stderr
        _debugfs(disk, "-R", f"dump {name} {copy}")  # it ends with 0 whatever happened: only what is there counts
        written = copy.read_bytes() if copy.exists() else b""
        if written != content or f"Mode:  {mode:04o}" not in _debugfs(disk, "-R", f"stat {name}").stdout:
            msg = f"'{name}' could not be written into {disk.name}: {' '.join(said.split())[-200:]}"
            raise TargetUnavailable(msg, f"make the image again: {_REMEDY}")


def _debugfs(disk: Path, *options: str) -> proc.Completed:
    return proc.run([proc.find("debugfs", "install e2fsprogs"), *options, str(disk)], timeout_s=60)


def _check(disk: Path) -> None:
    """Check the whole file system, so that no guest is measured repairing it."""
    done = proc.run([proc.find("e2fsck", "install e2fsprogs"), "-fn", str(disk)], timeout_s=300)
    if done.status != 0:
        msg = f"the file system in {disk.name} is damaged: {' '.join(done.stdout.split())[-200:]}"
        raise TargetUnavailable(msg, f"make the image again: {_REMEDY}")


def qemu() -> str:
    """Return the path of the QEMU that emulates x86-64 PCs.

    Raises:
        TargetUnavailable: There is none.
    """
    renamed = Path("/usr/libexec/qemu-kvm")  # its place on the Red Hat family
    if renamed.exists():
        return str(renamed)
    return proc.find("qemu-system-x86_64", "run 'tare provision libvirt' as root")


_verdicts: WeakKeyDictionary[Lab, Accelerator] = WeakKeyDictionary()


def accelerator(lab: Lab) -> Accelerator:
    """Return ``kvm`` if a minimal guest gets ready with it within ten seconds, else ``tcg``; tried once a lab.

    That ``/dev/kvm`` exists and opens proves nothing: in a machine without nested virtualisation it may abort or hang.

    Raises:
        TargetUnavailable: There is no QEMU or no minimal guest to try it with.
    """
    if lab not in _verdicts:
        _verdicts[lab] = _judge(lab)
    return _verdicts[lab]


def _judge(lab: Lab) -> Accelerator:
    guest, program = minimal(lab.paths.state), qemu()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator("tcg", f"/dev/kvm {'may not be used' if Path('/dev/kvm').exists() else 'does not exist'}")
    reason = _trial(program, guest, lab.paths.run / "e" / "kvm", lab.paths.run / "log" / "kvm-trial.log")
    if reason is None:
        return Accelerator("kvm", "a trial guest got ready")
    return Accelerator("tcg", f"kvm: {reason}")


def _trial(program: str, guest: Guest, events: Path, log: Path) -> str | None:
    """Boot a guest with KVM and return why it did not get ready, or ``None`` when it did."""
    argv = [program, *_TRIAL_MACHINE]
    argv += ["-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", guest.command(["--exit"])]
    argv += ["-serial", "null", "-chardev", f"socket,id=events,path={events}", "-serial", "chardev:events"]
    with contextlib.ExitStack() as stack:
        channel = stack.enter_context(stack.enter_context(EventHub()).channel(events, "stream"))
        process = proc.spawn(argv, stderr=log)
        stack.callback(process.stop, 0)
        try:
            channel.wait(Phase.READY, _TRIAL_S, lambda: _ended(process))
        except InvocationTimeout:
            return f"a trial boot did not get ready within {_TRIAL_S:g} s"
        except InvocationFailed:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return f"a trial boot ended with {_ended(process)}: {said[-1][-200:] if said else 'it said nothing'}"
    return None


def _ended(process: proc.Process) -> str | None:
    return None if process.poll() is None else proc.describe_status(process.poll() or 0)
