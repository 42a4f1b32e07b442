"""The connection to the lab's libvirtd: its event loop, the time limit of calls, and the end of a machine by name."""

from __future__ import annotations

import contextlib
import functools
import threading
import uuid
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import libvirt

from bench.core import proctable
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.engines.libvirt import daemon
from bench.lab import Lab

_KEEPALIVE_S = 5


def identity(name: str) -> str:
    """Return the UUID of the machine of that name, which is an argument of its QEMU and of no other process."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


_connections: WeakKeyDictionary[Lab, libvirt.virConnect] = WeakKeyDictionary()


def connect(lab: Lab) -> libvirt.virConnect:
    """Return the only connection to the lab's libvirtd; it is closed with the lab and detects a daemon that hangs.

    Raises:
        TargetUnavailable: libvirtd refuses the connection.
    """
    if lab not in _connections:
        uri = daemon.libvirtd(lab)
        lab.daemons.clients.enter_context(_event_loop())
        try:
            connection = libvirt.open(uri)
            connection.setKeepAlive(_KEEPALIVE_S, 3)
        except libvirt.libvirtError as error:
            reason = f"libvirtd runs but cannot be used: {_said(error)}"
            raise TargetUnavailable(reason, "see the message; run 'tare doctor' to try again") from error
        lab.daemons.clients.callback(connection.close)
        _connections[lab] = connection
    return _connections[lab]


@contextlib.contextmanager
def _event_loop() -> Iterator[None]:
    """Run libvirt's event loop in a thread: without it no keepalive message is sent or answered."""
    timer, ending = _register(), threading.Event()

    def loop() -> None:
        while not ending.is_set():
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=loop, name="tare-libvirt", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        libvirt.virEventUpdateTimeout(timer, 0)
        thread.join()
        libvirt.virEventUpdateTimeout(timer, -1)


@functools.cache
def _register() -> int:
    """Make libvirt's event loop and return a timer that wakes it when it is set to 0; -1 disables it."""
    libvirt.registerErrorHandler(lambda *_: None, None)  # else each error is printed, beside being raised
    libvirt.virEventRegisterDefaultImpl()
    return int(libvirt.virEventAddTimeout(-1, lambda *_: None, None))


@contextlib.contextmanager
def limited(name: str, timeout_s: float) -> Iterator[None]:
    """Limit the time of the calls within the block and translate their errors.

    libvirt has no time limit for a QEMU that hangs: after the limit the machine's QEMU is killed, which ends the call.

    Raises:
        InvocationTimeout: The limit passed.
        InvocationFailed: libvirt reported an error.
    """
    late = threading.Event()
    timer = threading.Timer(timeout_s, _kill, (name, late))
    timer.daemon = True
    timer.start()
    try:
        yield
    except libvirt.libvirtError as error:
        if late.is_set():
            raise InvocationTimeout(f"libvirt did not answer within {timeout_s:g} s") from error
        raise InvocationFailed(f"libvirt: {_said(error)}") from error
    finally:
        timer.cancel()


def _said(error: libvirt.libvirtError) -> str:
    return " ".join((error.get_error_message() or str(error)).split())[-600:]


def _kill(name: str, late: threading.Event | None = None) -> None:
    if late is not None:
        late.set()
    proctable.kill_all(proctable.with_argument(identity(name)))


def destroy(connection: libvirt.virConnect, name: str) -> None:
    """End the machine of that name, which removes it because it is transient; succeed when there is none."""
    try:
        connection.lookupByName(name).destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            _kill(name)  # whatever is wrong with libvirtd, the machine must not stay
            raise
