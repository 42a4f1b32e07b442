"""OCI runtimes called directly: runc, crun and gVisor's runsc."""

from __future__ import annotations

from bench.engines.declaration import PROGRAM, EngineType

_FACTORY = "bench.engines.oci.engine:Oci"

RUNC = EngineType("runc", _FACTORY, {"bin": ()}, PROGRAM)
CRUN = EngineType("crun", _FACTORY, {"bin": ()}, PROGRAM)
RUNSC = EngineType("runsc", _FACTORY, {"platform": ("ptrace", "systrap", "kvm"), "bin": ()}, PROGRAM)
