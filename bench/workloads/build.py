"""Image recipes: pairs of Dockerfiles that differ in one practice, an application in C, and the parser of builders' messages.

The build compiles the application. Its output is computed here too, so running it once proves that the builder built it, and
from which version of the source.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bench.core.errors import InvocationFailed
from bench.lab.bases import Base

PROGRAM = "/application"
LEFTOVER_BYTES = 32 * 2**20
"""Size of the file that the recipes ``clean-same`` and ``clean-later`` fetch, use and remove."""
USELESS_BYTES = 64 * 2**20
"""Size of the files in the context that the image does not need, in the recipes ``ignore`` and ``no-ignore``."""
_USELESS = "useless"
_USELESS_FILES = 64

_LIBRARY = ("cc -O2 -o primes lib/primes.c", "./primes {primes} >table.c", "cc -O2 -I lib -c table.c")
_APPLICATION = f"cc -O2 -static -s -I lib -o {PROGRAM} app/main.c table.o"
_CHORES = (
    "mkdir -p /data/cache /data/log",
    "cp app/build.h /data/build.h",
    f"sha256sum {PROGRAM} >/data/digest",
    "sha256sum table.c >>/data/digest",
    "chmod 0755 /data/cache /data/log",
    "touch /data/ready",
)
_FETCH = f"head -c {LEFTOVER_BYTES} /dev/urandom >fetched && sha256sum fetched >fetched.sum"
_END = f'ENTRYPOINT ["{PROGRAM}"]'


def _run(*commands: str) -> str:
    return f"RUN {' && '.join(commands)}"


_GOOD = ("COPY lib lib", _run(*_LIBRARY), "COPY app app", _run(_APPLICATION))
"""The library, which rarely changes, comes first, so that a change of the application does not rebuild its layer."""

RECIPES: dict[str, tuple[str, ...]] = {
    "good-order": (*_GOOD, _END),
    "bad-order": ("COPY . .", _run(*_LIBRARY), _run(_APPLICATION), _END),
    "multi-stage": (*_GOOD, "FROM scratch", f"COPY --from=build {PROGRAM} {PROGRAM}", _END),
    "single-stage": (*_GOOD, _END),
    "many-run": ("COPY . .", *(f"RUN {command}" for command in (*_LIBRARY, _APPLICATION, *_CHORES)), _END),
    "one-run": ("COPY . .", _run(*_LIBRARY, _APPLICATION, *_CHORES), _END),
    "clean-same": (_run(_FETCH, "rm fetched"), *_GOOD, _END),
    "clean-later": (_run(_FETCH), *_GOOD, _run("rm fetched"), _END),
    "ignore": (*_GOOD, _END),
    "no-ignore": (*_GOOD, _END),
}
"""Recipe → lines of its Dockerfile after ``FROM`` and ``WORKDIR``; ``{primes}`` stands for the size of the table."""


def _sized(recipe: str, primes: int) -> list[str]:
    return [line.replace("{primes}", str(primes)) for line in RECIPES[recipe]]


def dockerfile(recipe: str, base: Base, primes: int) -> str:
    """Return the Dockerfile of a recipe; ``base`` must have a C compiler."""
    return "\n".join((f"FROM {base.tag} AS build", "WORKDIR /src", *_sized(recipe, primes))) + "\n"


def write(recipe: str, base: Base, folder: Path, primes: int) -> None:
    """Write a recipe's build context into an empty folder: Dockerfile, sources, and files that the image does not need."""
    source = Path(str(resources.files("bench") / "workloads" / "recipes"))
    for name in ("app", "lib"):
        (folder / name).mkdir()
        for path in sorted((source / name).iterdir()):
            (folder / name / path.name).write_bytes(path.read_bytes())
    (folder / "Dockerfile").write_text(dockerfile(recipe, base, primes), encoding="utf-8")
    if recipe in ("ignore", "no-ignore"):
        _write_useless(folder / _USELESS)
    if recipe == "ignore":
        (folder / ".dockerignore").write_text(f"{_USELESS}\n", encoding="utf-8")
    change(folder, 1)


def _write_useless(folder: Path) -> None:
    folder.mkdir()
    source = random.Random(1)  # noqa: S311 - reproducible bytes that do not compress
    for number in range(_USELESS_FILES):
        (folder / str(number)).write_bytes(source.randbytes(USELESS_BYTES // _USELESS_FILES))


def change(folder: Path, build: int) -> None:
    """Change one line of one source file: the build number that the application prints."""
    path = folder / "app" / "build.h"
    path.write_text(f"/* The line that a change of the source changes. */\n#define BUILD {build}\n", encoding="utf-8")


def ignored(folder: Path) -> list[str]:
    """Return the patterns of a context's ``.dockerignore``."""
    path = folder / ".dockerignore"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def expected(build: int, primes: int) -> str:
    """Return the application's expected output, computed independently."""
    checksum = build
    for prime in _primes(primes):
        checksum = (checksum * 31 + prime) % 1_000_000_007
    return f"build {build} of {primes} primes: {checksum}"


@functools.cache
def _primes(count: int) -> list[int]:
    """Return the first ``count`` primes, for a count of at least 6: the n-th is below n (ln n + ln ln n) (Rosser 1941)."""
    limit = int(count * (count.bit_length() * 0.7 + 3))
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return [number for number in range(2, limit + 1) if sieve[number]][:count]


@dataclass(frozen=True)
class Built:
    """Result of a build, from the builder's messages.

    Attributes:
        image: The image's id, possibly shortened by the builder.
        steps: Number of Dockerfile steps, executed or cached.
        cached: Number of steps taken from the cache.
    """

    image: str
    steps: int
    cached: int


_STEP = re.compile(r"(?:Step|STEP) (\d+)/(\d+) ?:")
_DONE = re.compile(r"Successfully built ([0-9a-f]{12,64})")


def read(lines: Iterable[Mapping[str, Any]]) -> Built:
    """Parse the messages of Docker's classic builder or of Podman's, as JSON objects of Docker's build API.

    Raises:
        InvocationFailed: A step failed, or no image was built.
    """
    texts: list[str] = []
    image = ""
    for line in lines:
        if error := line.get("error"):
            msg = f"the build failed: {' '.join(str(error).split())[-300:]}; before it: {_tail(texts)}"
            raise InvocationFailed(msg)
        texts.append(str(line.get("stream", "")))
        image = str((line.get("aux") or {}).get("ID", image))
    whole = "".join(texts)
    done = _DONE.search(whole)
    if done is None:
        msg = f"the builder ended without an image; it said: {_tail(texts)}"
        raise InvocationFailed(msg)
    return Built(image or done[1], len(_STEP.findall(whole)), whole.count("Using cache"))


def _tail(texts: list[str]) -> str:
    return " ".join("".join(texts).split())[-300:] or "nothing"
