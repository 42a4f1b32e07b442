"""Why a host did not answer, in one line: ssh and Ansible say it in many."""

from __future__ import annotations

import itertools

_CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
_UNKNOWN = "Host key verification failed"
_PREFIX = "Failed to connect to the host via ssh:"


def unreachable(message: str) -> str:
    """Return the reason in a message of Ansible about a host that it could not reach."""
    if _CHANGED in message:
        offered = _line_after(message, "The fingerprint for the")
        key = f" ({offered})" if offered else ""
        return f"its host key is not the one in known_hosts{key}; nothing was sent to it"
    if _UNKNOWN in message:
        return "its host key is not in known_hosts; nothing was sent to it"
    lines = [line.strip() for line in message.replace(_PREFIX, "\n").splitlines()]
    told = [
        line for line in lines if line and not line.startswith(("Warning: Permanently added", "mux_client", "Control"))
    ]
    return told[-1] if told else "unreachable"


def _line_after(message: str, start: str) -> str:
    """Return the line after the one that begins with ``start``, empty when there is none."""
    lines = message.splitlines()
    for line, following in itertools.pairwise(lines):
        if line.strip().startswith(start):
            return following.strip().rstrip(".")
    return ""


def ended(said: str) -> str:
    """Return the reason in what Tare wrote to standard error before it ended; empty if it wrote nothing."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("tare: "):
            return " ".join(lines[number:]).removeprefix("tare: ")
    return "; ".join(lines[-2:])


def last_line(said: str) -> str:
    """Return the last line of what Tare wrote, which says how far it is."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
