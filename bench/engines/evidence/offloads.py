"""Offloads of a network link, read with ethtool's ioctl in the link's network namespace.

Segmentation offload explains most of the difference between two virtual networks, so it is part of the evidence.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

from bench.core.errors import InvocationFailed

_SIOCETHTOOL = 0x8946
_QUESTIONS = {"rx": 0x14, "tx": 0x16, "sg": 0x18, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}
"""Name → ``ETHTOOL_G…`` (include/uapi/linux/ethtool.h): checksums of received and sent packets, scatter-gather, segmentation by
the device or late in the kernel, and reassembly of segments."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def of(pid: int | str, name: str) -> str:
    """Return the enabled offloads of a link in the network namespace of a process, sorted; ``none`` without any.

    Raises:
        InvocationFailed: The process or the link is gone, or its namespace cannot be entered.
    """
    with ThreadPoolExecutor(1) as pool:  # a namespace belongs to a thread: this one ends with it
        return pool.submit(_read, pid, name).result()


def _read(pid: int | str, name: str) -> str:
    try:
        _enter(f"/proc/{pid}/ns/net")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            found = [word for word, question in sorted(_QUESTIONS.items()) if _ask(sock, name, question)]
    except OSError as error:
        msg = f"the offloads of '{name}' cannot be read in the network of process {pid}: {error}"
        raise InvocationFailed(msg) from error
    return " ".join(found) or "none"


def _enter(path: str) -> None:
    space = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(space, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(space)


def _ask(sock: socket.socket, name: str, question: int) -> bool:
    """Ask for one value (``struct ethtool_value`` behind a ``struct ifreq``)."""
    value = ctypes.create_string_buffer(struct.pack("=II", question, 0), 8)
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
    fcntl.ioctl(sock, _SIOCETHTOOL, request)
    return bool(struct.unpack("=II", value.raw)[1])
