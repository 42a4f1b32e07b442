"""Guests for virtual machines, made from provisioned files, and a trial whether KVM can run one.

``minimal`` is a kernel and an initramfs with the payload as PID 1: the smallest machine possible. ``full`` is a Debian with
systemd on a disk, which starts the same payload as a service. Both report over their second serial port. The kernel is
Debian's unmodified cloud kernel: its 8250 driver is built in, so that the payload can report before any module is loaded.
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
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable, TargetUnavailable
from bench.core.model import Phase
from bench.engines.libvirt import initramfs
from bench.lab import events, images

if TYPE_CHECKING:
    from bench.lab import Lab

_REMEDY = "run 'tare provision guest_images' as root"
_TRIAL_S = 10.0
"""Time limit of the trial, seconds: with KVM a guest is ready in about a second; without, it aborts at once or hangs."""
_TRIAL_MACHINE = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "256"]
_TRIAL_MACHINE += ["-machine", "q35", "-accel", "kvm", "-cpu", "host"]
_EVENTS = "--events tty:/dev/ttyS1"
_MOST_ARGUMENTS = 32
"""Number of arguments with which the kernel panics (CONFIG_INIT_ENV_ARG_LIMIT, init/main.c)."""
_CMDLINE = "console=ttyS0 quiet loglevel=1 reboot=t panic=-1 no_timer_check"
"""The console shows nothing but what the payload and a panic print (a panic raises the log level unless that is 0), and a panic
ends the machine at once. With KVM each byte on a serial port is a VM exit. ``no_timer_check``: on a busy host an emulated timer
may fire too late for the kernel, which then panics ("IO-APIC + timer doesn't work!"); with KVM the kernel skips that check
itself (arch/x86/kernel/kvm.c)."""
_SERVICE = b"""[Service]
ExecStart=
ExecStart=/usr/local/bin/tare-payload --events tty:/dev/ttyS1 $TARE_ARGUMENTS
"""
"""Takes the payload's arguments from the kernel's command line (systemd.service(5): unbraced, so split into words)."""
_SETUP_BYTES = 64 * 512
"""Largest size of what precedes a kernel's compressed part (``setup_sects``)."""
_KERNEL_BYTES = 100 * 2**20
"""Memory that the kernel and the payload use themselves, rounded up."""
_MACHINE_ID = b"0123456789abcdef0123456789abcdef\n"
"""Without a machine id systemd treats each boot as the first and sets up the system again (machine-id(5)): 1 s more."""


@dataclass(frozen=True)
class Guest:
    """What a machine boots.

    Attributes:
        name: ``minimal`` or ``full``.
        kernel: The kernel's file.
        initrd: Its initramfs.
        cmdline: The kernel's command line without the payload's arguments.
        disk: A raw disk, only read, or ``None``.
        digests: SHA-256 of ``kernel``, ``initrd`` and ``payload``, and for ``disk`` of what it was made from.
    """

    name: str
    kernel: Path
    initrd: Path
    cmdline: str
    disk: Path | None
    digests: Mapping[str, str]

    def command(self, arguments: Sequence[str]) -> str:
        """Return the kernel's command line that runs the payload with these arguments.

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
    """What executes a guest's instructions on this host, and why that was chosen."""

    name: Literal["kvm", "tcg"]
    why: str


def minimal(state: Path, kernel: Path | None = None) -> Guest:
    """Return the guest whose PID 1 is the payload; it boots ``kernel`` or, without one, the provisioned kernel.

    Raises:
        TargetUnavailable: The kernel was not provisioned or is not a kernel, or this host is not x86-64.
    """
    if kernel is not None:
        release(kernel)
    kernel = _provisioned(kernel or state / "guest" / "kernel" / "vmlinuz")
    initrd = initramfs.initramfs(state)
    digests = {"kernel": _digest(kernel), "initrd": initrd.digest, "payload": images.payload(state).digest}
    return Guest("minimal", kernel, initrd.path, f"{_CMDLINE} rdinit={images.PAYLOAD}", None, digests)


def release(kernel: Path) -> str:
    """Return a kernel's release (``uname -r``) from its header (Linux, arch/x86/boot.rst: ``kernel_version``).

    Raises:
        TargetUnavailable: The file is not a kernel that a PC can boot.
    """
    with kernel.open("rb") as file:
        head = file.read(_SETUP_BYTES)
    if head[0x202:0x206] != b"HdrS":
        msg = f"'{kernel}' is not a Linux kernel that a PC boots (bzImage)"
        raise TargetUnavailable(msg, "give the file that is installed as /boot/vmlinuz-VERSION")
    at = 0x200 + int.from_bytes(head[0x20E:0x210], "little")
    words = head[at : at + 128].partition(b"\0")[0].decode(errors="replace").split()
    return words[0] if words else "unknown"


def with_folders(guest: Guest, folders: Mapping[str, Path], memory_bytes: int) -> Guest:
    """Return the guest with the current content of folders of the host in its initramfs.

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
    # While the kernel unpacks the archive it exists twice, and the target file system takes at most half of the memory.
    needed = _KERNEL_BYTES + 2 * initrd.path.stat().st_size
    if memory_bytes < needed:
        msg = f"a machine of {memory_bytes} bytes cannot unpack the folders {names}; give it memory_bytes={needed} or more"
        raise NotApplicable(msg)
    return replace(guest, initrd=initrd.path, digests={**guest.digests, "initrd": initrd.digest})


def full(state: Path) -> Guest:
    """Return the Debian guest; write its disk with the payload if it does not exist.

    Raises:
        TargetUnavailable: It was not provisioned, this host is not x86-64, or the payload cannot be written to the disk.
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
        msg = f"the guest image '{path}' is missing"
        raise TargetUnavailable(msg, _REMEDY)
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_disk(disk: Path, base: Path, source: images.Artifact) -> None:
    """Copy the base as a sparse file, add the payload, read it back, and only then give the disk its name."""
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
        TargetUnavailable: The file that is read back differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, copy, script = (Path(folder) / part for part in ("source", "copy", "script"))
        source.write_bytes(content)
        parents = [str(parent) for parent in reversed(Path(name).parents)]
        # mkdir on an existing folder leaves an unconnected inode behind, so only missing ones are made
        lines = [f"mkdir {parent}" for parent in parents if not _debugfs(disk, "-R", f"stat {parent}").stdout]
        lines += [f"rm {name}", f"cd {parents[-1]}", f'write "{source}" {Path(name).name}']
        lines += [f"sif {name} {field}" for field in (f"mode 0{0o100000 | mode:o}", "uid 0", "gid 0")]
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        said = _debugfs(disk, "-w", "-f", str(script)).stderr
        _debugfs(disk, "-R", f'dump {name} "{copy}"')  # its exit status is always 0: only the file counts
        written = copy.read_bytes() if copy.exists() else b""
        if written != content or f"Mode:  {mode:04o}" not in _debugfs(disk, "-R", f"stat {name}").stdout:
            msg = f"'{name}' could not be written into {disk.name}: {' '.join(said.split())[-200:]}"
            raise TargetUnavailable(msg, f"make the image again: {_REMEDY}")


def _debugfs(disk: Path, *options: str) -> proc.Completed:
    return proc.run([proc.find("debugfs", "install e2fsprogs"), *options, str(disk)], timeout_s=60)


def _check(disk: Path) -> None:
    """Check the file system, so that no guest repairs it while it is measured."""
    done = proc.run([proc.find("e2fsck", "install e2fsprogs"), "-fn", str(disk)], timeout_s=300)
    if done.status != 0:
        msg = f"the file system in {disk.name} is damaged: {' '.join(done.stdout.split())[-200:]}"
        raise TargetUnavailable(msg, f"make the image again: {_REMEDY}")


def qemu() -> str:
    """Return the path of the QEMU for x86-64 PCs.

    Raises:
        TargetUnavailable: It is not installed.
    """
    renamed = Path("/usr/libexec/qemu-kvm")  # its place on the Red Hat family
    if renamed.exists():
        return str(renamed)
    return proc.find("qemu-system-x86_64", "run 'tare provision libvirt' as root")


_verdicts: WeakKeyDictionary[Lab, Accelerator] = WeakKeyDictionary()


def accelerator(lab: Lab) -> Accelerator:
    """Return ``kvm`` if a minimal guest gets ready with it within ten seconds, else ``tcg``; tried once for each lab.

    That ``/dev/kvm`` exists and can be opened proves nothing: without nested virtualisation guests may abort or hang.

    Raises:
        TargetUnavailable: There is no QEMU or no minimal guest for the trial.
    """
    if lab not in _verdicts:
        _verdicts[lab] = _judge(lab)
    return _verdicts[lab]


def _judge(lab: Lab) -> Accelerator:
    guest, program = minimal(lab.paths.state), qemu()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator("tcg", f"/dev/kvm {'may not be used' if Path('/dev/kvm').exists() else 'does not exist'}")
    reason = _trial(program, guest, lab)
    if reason is None:
        return Accelerator("kvm", "a trial guest got ready")
    return Accelerator("tcg", f"kvm: {reason}")


def _trial(program: str, guest: Guest, lab: Lab) -> str | None:
    """Boot a guest with KVM; return why it did not get ready, ``None`` if it did."""
    socket, log = lab.paths.run / "e" / "kvm", lab.paths.run / "log" / "kvm-trial.log"
    argv = [program, *_TRIAL_MACHINE]
    argv += ["-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", guest.command(["--exit"])]
    argv += ["-serial", "null", "-chardev", f"socket,id=events,path={socket}", "-serial", "chardev:events"]
    with contextlib.ExitStack() as stack:
        channel = stack.enter_context(stack.enter_context(events.open_hub(lab.paths.state)).channel(socket, "stream"))
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
