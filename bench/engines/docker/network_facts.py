"""What the documentation of Docker and Podman says of their networks: who is reached, who may use a port, which names are found.

Docker, "Networking overview", "Bridge network driver", "None network driver", "Host network driver", "Macvlan network driver" and
"docker network create" (``--internal``); podman-network-create(1). Abstract sockets: network_namespaces(7).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property

from bench.core.errors import NotApplicable
from bench.core.model import Target
from bench.engines.base import Engine
from bench.engines.docker.session import Session, release

Facts = Mapping[str, bool]

_NAMES = ("named", "named-after-restart", "new-name", "new-name-after-restart")
_OLD = ("old-name", "old-name-after-restart")
"""Names that were taken again. Nothing is said of the first one, which stays an instance's host name."""
_OWN_NAMESPACE = {
    "first-binds": True,
    "first-answers": True,
    "second-starts": True,
    "second-binds": True,
    "second-answers": True,
    "to-host-loopback": False,
    "to-host-abstract": False,
}


def _names(found: bool) -> Facts:
    return {**dict.fromkeys(_NAMES, found), **dict.fromkeys(_OLD, False)}


_BRIDGE = {
    **_OWN_NAMESPACE,
    "to-peer": True,
    "to-other-network": False,
    "to-gateway": True,
    "to-outside": True,
    "from-host": True,
    "from-outside": False,
}
_NONE = {
    **_OWN_NAMESPACE,
    **dict.fromkeys(
        ("to-peer", "to-other-network", "to-gateway", "to-host", "to-outside", "from-host", "from-outside"), False
    ),
}
_HOST = {
    **dict.fromkeys(("first-binds", "first-answers", "second-starts"), True),
    **dict.fromkeys(("second-binds", "second-answers"), False),
    **dict.fromkeys(("to-peer", "to-other-network", "to-gateway", "to-host", "to-outside"), True),
    **dict.fromkeys(("to-host-loopback", "to-host-abstract", "from-host", "from-outside"), True),
    **_names(False),
}
_MACVLAN = {
    **_OWN_NAMESPACE,
    **dict.fromkeys(("to-peer", "to-outside", "from-outside"), True),
    **dict.fromkeys(("to-gateway", "to-host", "from-host"), False),
    **_names(True),
}
_PUBLISHED = {"first-binds": True, "first-answers": True, "second-starts": False}

DOCKER: Mapping[str, Facts] = {
    "none": _NONE,
    "host": _HOST,
    "bridge": {**_BRIDGE, **_names(False)},
    "user": {**_BRIDGE, **_names(True)},
    "internal": {**_BRIDGE, "to-outside": False, **_names(True)},
    "macvlan": _MACVLAN,
    "published": _PUBLISHED,
    "proxied": _PUBLISHED,
}
"""Network mode → fact → whether it works by Docker's documentation."""


def _podman(facts: Facts, **changes: bool | None) -> Facts:
    found = {**facts, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in found.items() if value is not None and name not in _OLD}


PODMAN: Mapping[str, Facts] = {
    "none": _podman(_NONE),
    "host": _podman(_HOST),
    "bridge": _podman(DOCKER["bridge"], to_other_network=True, from_outside=None),
    "user": _podman(DOCKER["user"], to_other_network=True, from_outside=None),
    "published": _podman(_PUBLISHED),
    "internal": _podman(DOCKER["internal"], to_other_network=None, to_gateway=None, from_host=None),
}
"""The same for Podman, whose networks are apart only with the option ``isolate``; it says nothing of an old name."""


class Networks:
    """The networks of one target's daemon."""

    def __init__(self, session: Session, make: Callable[[Target], Engine], said: Mapping[str, Facts]) -> None:
        self._session = session
        self._make = make
        self._said = said
        self._mode = session.target.options.get("network", "bridge")

    def version(self) -> str:
        """Return name and version of the daemon."""
        return release(self._session)

    def documented(self, fact: str) -> bool | None:
        """Return whether something works by the documentation; ``None`` where that says nothing."""
        return self._said.get(self._mode, {}).get(fact)

    def other(self) -> Engine:
        """Return an engine of the same daemon on its default bridge, or on a user's network.

        Raises:
            NotApplicable: The target's daemon is another one than that of these networks.
        """
        if self._session.endpoint.network.role:
            msg = f"'{self._session.target.text}' has a daemon of its own with no other network"
            raise NotApplicable(msg)
        return self._other

    @cached_property
    def _other(self) -> Engine:
        target = self._session.target
        mode = "user" if self._mode == "bridge" else "bridge"
        text = f"{target.engine}:network={mode}"
        engine = self._make(dataclasses.replace(target, text=text, options={**target.options, "network": mode}))
        engine.prepare()
        return engine
