"""OCI runtimes called directly: runc, crun and gVisor's runsc."""

from __future__ import annotations

from bench.engines.declaration import BASE_ROLES, PROGRAM, EngineType

_FACTORY = "bench.engines.oci.engine:Oci"

_ROLES = (*BASE_ROLES, "oci_runtimes")

RUNC = EngineType("runc", _FACTORY, {"bin": ()}, PROGRAM, roles=_ROLES, compared_with={"runc": ("sandbox", "crun")})
CRUN = EngineType("crun", _FACTORY, {"bin": ()}, PROGRAM, roles=_ROLES)
RUNSC = EngineType(
    "runsc",
    _FACTORY,
    {"platform": ("ptrace", "systrap", "kvm"), "bin": ()},
    PROGRAM,
    roles=_ROLES,
    title="gVisor",
    compared_with={"runsc": ("runc",)},
)

ENGINES = (RUNC, CRUN, RUNSC)
