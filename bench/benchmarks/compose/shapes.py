"""The projects that are measured: generated ones, and the web application that tutorials show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.engines.projects import Check, Need, Project, Service
from bench.invocation.context import InvocationContext
from bench.lab import bases, images

LINES = 3
"""Lines that each payload prints."""
STATE = "/tare-broken"
"""The file whose absence makes a payload healthy; nothing creates it."""
PROBE = (images.PAYLOAD, "--events", f"unix:{images.EVENTS}", "--probe", STATE)
_PAYLOAD = ("--events", f"unix:{images.EVENTS}", "--lines", f"{LINES}:64:0:lf:0")
_PORT = 8000


def project(context: InvocationContext) -> Project:
    """Return the project that the parameters of an invocation describe."""
    shape = str(context.params["project"])
    services = _source(context, shape) if shape.startswith("source") else _generated(context, shape)
    memory, cpus = int(context.params["memory_bytes"]), float(context.params["cpus"])
    return Project(
        name=context.name,
        folder=context.lab.paths.run / "compose" / str(context.invocation.index),
        services=tuple(services),
        networks=tuple(f"net{number + 1}" for number in range(int(context.params["networks"]))),
        memory_bytes=memory,
        cpus=cpus,
        timeout_s=context.timeout_s,
    )


def prints(service: Service) -> bool:
    """Say whether a service is a payload that prints lines."""
    return "--lines" in service.command


def _generated(context: InvocationContext, shape: str) -> list[Service]:
    names = [f"s{number + 1}" for number in range(int(context.params["services"]))]
    volumes = int(context.params["volumes"])
    needs = needs_of(shape, names)
    needed = {need.service for every in needs.values() for need in every if need.healthy}
    image = images.image(context.lab.paths.state)
    return [
        Service(
            name=name,
            image=image,
            events=_socket(context, number),
            command=(*_PAYLOAD, "--sleep"),
            needs=needs[name],
            check=Check(PROBE, float(context.params["interval_s"])) if name in needed else None,
            volume=f"data{number + 1}" if number < volumes else "",
        )
        for number, name in enumerate(names)
    ]


def needs_of(shape: str, names: list[str]) -> dict[str, tuple[Need, ...]]:
    """Return what each service needs: in a chain the one before it, in a star the last one all others."""
    form, _, state = shape.partition("-")
    found: dict[str, tuple[Need, ...]] = dict.fromkeys(names, ())
    for number, name in enumerate(names):
        if form == "chain":
            found[name] = _needs(names[max(0, number - 1) : number], state)
        elif form == "star" and name == names[-1]:
            found[name] = _needs(names[:-1], state)
    return found


def _needs(names: Iterable[str], state: str) -> tuple[Need, ...]:
    return tuple(Need(name, healthy=state == "healthy") for name in names)


def _socket(context: InvocationContext, number: int) -> Path:
    return context.lab.paths.run / "e" / f"{context.invocation.index}-{number}"


def _source(context: InvocationContext, shape: str) -> list[Service]:
    """Return web, api, db and cache: nginx, the payload, PostgreSQL and Redis of the distribution's packages."""
    state, interval = shape.partition("-")[2], float(context.params["interval_s"])
    image = bases.with_payload(context.lab.paths.state, bases.SERVICES)
    plain = Service("", image, _socket(context, 0))

    def service(number: int, name: str, needs: Iterable[str], check: str, program: str) -> Service:
        return replace(
            plain,
            name=name,
            events=_socket(context, number),
            entrypoint=_SHELL,
            command=(program,),
            needs=_needs(needs, state),
            check=Check(("/bin/bash", "-c", check), interval),
        )

    api = service(1, "api", ("db", "cache"), _answers(_PORT), "")
    db = service(2, "db", (), _READY, _DB)
    return [
        service(0, "web", ("api",), _answers(80), _WEB),
        replace(api, entrypoint=(), command=(*_PAYLOAD, "--serve", str(_PORT))),
        replace(db, volume="pgdata", mounted=_PGDATA),
        service(3, "cache", (), "[ $(redis-cli ping) = PONG ]", _CACHE),
    ]


_SHELL = ("/bin/sh", "-c")
_PGDATA = "/var/lib/postgresql/data"
_BEGUN = f"{images.PAYLOAD} --events unix:{images.EVENTS} --exit"
"""The payload reports the first instruction of a service that is another program."""
_AS_POSTGRES = "setpriv --reuid=postgres --regid=postgres --clear-groups"
_WEB = f"{_BEGUN}; exec nginx -g 'daemon off;'"
_CACHE = f"{_BEGUN}; exec redis-server --save '' --protected-mode no"
_DB = (
    f"{_BEGUN}; cd /; bin=$(echo /usr/lib/postgresql/*/bin); chown postgres {_PGDATA}; chmod 700 {_PGDATA}; "
    f"[ -s {_PGDATA}/PG_VERSION ] || {_AS_POSTGRES} $bin/initdb --auth=trust --no-sync {_PGDATA}; "
    f"exec {_AS_POSTGRES} $bin/postgres -D {_PGDATA} -c listen_addresses='*' -c unix_socket_directories=''"
)
_READY = "/usr/lib/postgresql/*/bin/pg_isready -q -h 127.0.0.1"


def _answers(port: int) -> str:
    return f"exec 3<>/dev/tcp/127.0.0.1/{port}"
