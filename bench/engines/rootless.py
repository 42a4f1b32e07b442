"""An engine that an ordinary user of the host runs instead of root: who that is, and what the host must have for it.

The user is nobody (65534), who exists on every host; nothing is added to the host's tables of users. Where users are mapped, root
of an instance is that user, and its other users are the user's subordinate ones.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.engines.base import Engine
from bench.engines.hardening import MAPPED, MAPPED_COUNT, UNPRIVILEGED
from bench.engines.users import allot_users, blocked
from bench.lab import Lab

MAPPINGS = (
    {"containerID": 0, "hostID": UNPRIVILEGED, "size": 1},
    {"containerID": 1, "hostID": MAPPED, "size": MAPPED_COUNT},
)
"""Users of an instance and of the host, as ``podman unshare cat /proc/self/uid_map`` shows them (config-linux.md, "User namespace
mappings")."""
_MAPPERS = ("newuidmap", "newgidmap")
_REMEDY = (
    "run 'tare provision oci_runtimes' as root, or install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)"
)
_UTIL_LINUX = "install util-linux"
_SETTINGS = (
    "user.max_user_namespaces, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns"
)
_TUN, _TUN_NUMBER, _TUN_MODE = Path("/dev/net/tun"), (10, 200), 0o666
"""The device of user-mode networks and its number (Documentation/admin-guide/devices.txt); udev's rules give it mode 0666."""


class OrdinaryUser:
    """Runs a target's engine as an ordinary user.

    ``make`` returns that engine, not prepared; ``made`` is it, where there is one already.
    """

    def __init__(self, lab: Lab, make: Callable[[], Engine], made: Engine | None = None) -> None:
        self._lab = lab
        self._make = make
        self._engine = made
        self._why = ""

    def refusal(self) -> str:
        """Return why the engine cannot be run by an ordinary user here; empty when nothing is known against it."""
        return "" if self._engine else self._why or missing() or blocked(self._lab)

    def engine(self) -> Engine:
        """Return the engine, prepared by a trial at the first call.

        Raises:
            NotApplicable: It cannot be run by an ordinary user here.
        """
        if why := self.refusal():
            raise NotApplicable(why)
        if self._engine is None:
            made = self._make()
            allot_users(self._lab)
            try:
                made.prepare()
            except TargetUnavailable as error:
                self._why = f"an ordinary user cannot run '{made.target.text}' here: {error.reason}"
                raise NotApplicable(self._why) from error
            self._engine = made
        return self._engine


def prefix() -> list[str]:
    """Return the argv prefix that starts a program as the ordinary user, without other groups and without capabilities.

    Raises:
        TargetUnavailable: util-linux is not installed.
    """
    user = [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
    return [proc.find("setpriv", _UTIL_LINUX), *user, "--"]


def missing() -> str:
    """Return what this host lacks for an ordinary user's containers, and how to get it; empty when it lacks nothing."""
    lacking = [program for program in _MAPPERS if not shutil.which(program, path=proc.environment()["PATH"])]
    if lacking:
        return f"an ordinary user's containers need {' and '.join(lacking)}, which this host has not: {_REMEDY}"
    return _forbidden()


@functools.cache
def _forbidden() -> str:
    """Return why this host lets an ordinary user make no user namespace; found by making one."""
    try:
        pwd.getpwuid(UNPRIVILEGED)
        unshare = proc.find("unshare", _UTIL_LINUX)
        argv = [*prefix(), unshare, "--user", "--map-root-user", "--", proc.find("true", "install coreutils")]
        done = proc.run(argv, timeout_s=10)
    except KeyError:
        return f"this host has no user {UNPRIVILEGED}, who would run the containers"
    except (TargetUnavailable, InvocationFailed) as error:
        return f"no process of an ordinary user can be started: {error}"
    said = done.stderr.strip()
    return f"this host lets an ordinary user make no user namespace ({said}): see {_SETTINGS}" if done.status else ""


def own(*paths: Path) -> None:
    """Give files and folders to the ordinary user, with all that is below them."""
    for path in paths:
        for each in (path, *path.rglob("*")):
            os.chown(each, UNPRIVILEGED, UNPRIVILEGED, follow_symlinks=False)


def without_tun() -> str:
    """Return that this host has no device for user-mode networks, and how to get it; empty where it has."""
    return (
        ""
        if _TUN.exists()
        else f"an ordinary user's network needs {_TUN}, which this host has not: run 'modprobe tun' as root"
    )


def open_tun(lab: Lab) -> None:
    """Let every user make the tun devices of user-mode networks, in the lab only, where the host has not the usual mode."""
    if not _TUN.exists() or _TUN.stat().st_mode & _TUN_MODE == _TUN_MODE:
        return
    node = lab.paths.run / "tun"
    if not node.exists():
        os.mknod(node, stat.S_IFCHR, os.makedev(*_TUN_NUMBER))
        node.chmod(_TUN_MODE)
    lab.daemons.cover(_TUN, node)
