"""What an engine declares about itself, so that targets are checked and listed without loading the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOUNTS = ("layer", "volume", "bind", "bind-ro", "tmpfs")
"""Values of the option ``mount``: where an instance keeps its data (own layer, volume, folder of the host, memory)."""


@dataclass(frozen=True)
class EngineType:
    """One engine that targets can name.

    Functions and classes are named as ``module:NAME`` and imported when they are needed.

    Attributes:
        name: The first word of its targets, for example ``docker``.
        factory: The class; called with the target and the lab it returns an :class:`bench.engines.base.Engine`.
        options: Option → allowed values; empty when any value is allowed. Options that a target leaves out take the engine's
            default.
        files: Option whose value is the absolute path of a file → what that file is. The file of an option ``bin`` must be
            executable.
        sockets: Option whose value is a unix socket of the host, by its absolute path or as ``unix://PATH`` → words that may
            stand for it.
        examined: Targets that ``tare doctor`` tries beside those of scenario ``startup``; an engine without any target there is
            tried by its name.
        extra: Extra of the declaring distribution that installs what the class imports, for example ``docker`` for
            ``pip install 'tare-bench[docker]'``.
        check: Function that takes a target before anything is started and raises ``UsageError`` or ``TargetUnavailable`` when its
            options cannot be used; empty when ``options`` and ``files`` say everything.
        undo: Journal kind → function that removes what an entry of a killed run names (:data:`bench.lab.sweep.Undo`); empty when
            that is gone with the run's control group, folder or namespaces. Kinds are in one name space for all engines.
        roles: Ansible roles of ``provisioning/roles`` that install it, dependencies first; empty for an engine of another
            package, which installs what it needs in its own way.
        title: Its name for people who do not know Tare's targets, for example ``Kubernetes pod``; empty: ``name``.
        option_titles: Option as a target spells it → the target's name for people where ``title`` does not tell it apart, for
            example ``client=cli`` → ``Docker's command line``.
        compared_with: Target of the engine → targets with which people compare it; a report shows the ratio of each pair.
        stands_on: Engine that makes its instances, ``containerd`` for Docker; in a stack of layers its cost is the difference to
            that one. Empty: whichever layer is before it.
    """

    name: str
    factory: str
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    sockets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    examined: tuple[str, ...] = ()
    extra: str = ""
    check: str = ""
    undo: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    title: str = ""
    option_titles: Mapping[str, str] = field(default_factory=dict)
    compared_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stands_on: str = ""


BASE_ROLES = ("tools", "payload")
"""``roles`` that every engine needs."""
IMAGE_ROLES = ("registry", "base_images")
"""``roles`` of an engine that can run, build or pull images."""
PROGRAM = {"bin": "a program"}
"""``files`` of an engine with the option ``bin``."""
