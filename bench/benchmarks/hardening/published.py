"""The system calls that Docker blocks by default, by its documentation ("Seccomp security profiles for Docker")."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.syscalls import NAMES

BLOCKED: tuple[str, ...] = (
    *(
        "acct",
        "add_key",
        "bpf",
        "clock_adjtime",
        "clock_settime",
        "clone",
        "create_module",
        "delete_module",
        "finit_module",
        "get_kernel_syms",
    ),
    *(
        "get_mempolicy",
        "init_module",
        "ioperm",
        "iopl",
        "kcmp",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mbind",
        "mount",
    ),
    *(
        "move_pages",
        "nfsservctl",
        "open_by_handle_at",
        "perf_event_open",
        "personality",
        "pivot_root",
        "process_vm_readv",
    ),
    *(
        "process_vm_writev",
        "ptrace",
        "query_module",
        "quotactl",
        "reboot",
        "request_key",
        "set_mempolicy",
        "setns",
        "settimeofday",
        "stime",
    ),
    *(
        "swapon",
        "swapoff",
        "sysfs",
        "_sysctl",
        "umount",
        "umount2",
        "unshare",
        "uselib",
        "userfaultfd",
        "ustat",
        "vm86",
        "vm86old",
    ),
)
"""As listed there, in its order."""
BY_ARGUMENTS = frozenset({"clone", "personality"})
"""Listed, and refused with some arguments only: namespaces, and personalities but the usual ones. Tried with others."""
EXPLAINED = frozenset({"ptrace", "process_vm_readv", "process_vm_writev", "clock_adjtime"})
"""Listed, and yet allowed by the profile. ``ptrace`` is allowed on kernels from 4.8 on, where it cannot get around a filter;
in newer profiles so are the next two. ``clock_adjtime`` also reads the clock; to set it the kernel demands CAP_SYS_TIME."""


def tried() -> list[str]:
    """Return those that this machine has and that are tried with arguments that the list means."""
    return [name for name in BLOCKED if name in NAMES and name not in BY_ARGUMENTS]


def answered(refused: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Return those of the list that are neither refused nor missing."""
    return [name for name in tried() if name not in refused and name not in missing]
