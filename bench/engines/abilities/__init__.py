"""What only some engines can do. A benchmark asks for one of these protocols, never for a class of an engine.

An ability that takes several methods is an object of its own, which the engine has as an attribute.
"""

from __future__ import annotations

from bench.engines.abilities.hardening import Hardener, Hardens
from bench.engines.abilities.images import (
    Build,
    BuildsImages,
    BuiltImage,
    ImageBuilder,
    ImageBuilders,
    ImagePuller,
    ImageStore,
    Launch,
    Launched,
    PulledImage,
    PullsImages,
    RunsImages,
    leaves_configuration,
)
from bench.engines.abilities.logs import KeepsLogs, LogFollower, Logs, StoredLog
from bench.engines.abilities.network import HasNetworkPath, HasNetworks, NetworkPath, Networks, ResolvesNames
from bench.engines.abilities.projects import ComposesProjects, ProjectClient, Projects
from bench.engines.abilities.running import (
    Changes,
    ChangesInstances,
    ChecksHealth,
    Commands,
    Finished,
    HasDaemons,
    HealthChecks,
    HealthStatus,
    LaunchesInOneStep,
    ReportsUsage,
    Restarts,
    RunsCommands,
    Usage,
    UsageReports,
    launch,
    polls_s,
    unproved,
)
from bench.engines.abilities.storage import BootFiles, HasStorage, HasVolumes, StartsFromFiles, Volume, VolumeStore

__all__ = [
    "BootFiles",
    "Build",
    "BuildsImages",
    "BuiltImage",
    "Changes",
    "ChangesInstances",
    "ChecksHealth",
    "Commands",
    "ComposesProjects",
    "Finished",
    "Hardener",
    "Hardens",
    "HasDaemons",
    "HasNetworkPath",
    "HasNetworks",
    "HasStorage",
    "HasVolumes",
    "HealthChecks",
    "HealthStatus",
    "ImageBuilder",
    "ImageBuilders",
    "ImagePuller",
    "ImageStore",
    "KeepsLogs",
    "Launch",
    "Launched",
    "LaunchesInOneStep",
    "LogFollower",
    "Logs",
    "NetworkPath",
    "Networks",
    "ProjectClient",
    "Projects",
    "PulledImage",
    "PullsImages",
    "ReportsUsage",
    "ResolvesNames",
    "Restarts",
    "RunsCommands",
    "RunsImages",
    "StartsFromFiles",
    "StoredLog",
    "Usage",
    "UsageReports",
    "Volume",
    "VolumeStore",
    "launch",
    "leaves_configuration",
    "polls_s",
    "unproved",
]
