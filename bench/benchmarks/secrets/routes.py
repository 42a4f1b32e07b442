"""The ways in which a secret comes to an instance: what is built, and how the instance is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.engines.abilities import Launch

NAME = "TARE_SECRET"
"""Name of the variable that carries the secret."""
FILE = "secret.txt"
"""Name of the file that carries the secret."""
MOUNTED, MEMORY = "/run/secrets", "/secrets"
"""Where an instance sees a file of the host's, and a file system in memory."""


@dataclass(frozen=True)
class Route:
    """One way.

    Attributes:
        recipe: Lines of the Dockerfile after ``FROM``.
        in_context: Whether the build context has a file with the secret.
        ignored: Whether ``.dockerignore`` names that file.
        argument: Whether the build is given the secret as an argument.
        variable: Whether the instance is given it as a variable of its environment.
        mounted: Whether the instance is given a file of the host's.
        memory: Whether it is written to a file system in memory, once the instance runs.
        path: Where the instance has it as a file; empty for none.
    """

    recipe: tuple[str, ...] = ("LABEL tare=secrets",)
    in_context: bool = False
    ignored: bool = False
    argument: bool = False
    variable: bool = False
    mounted: bool = False
    memory: bool = False
    path: str = ""

    def write(self, folder: Path, base: str, secret: str) -> None:
        """Write the build context."""
        lines = [f"FROM {base}", *(line.replace("{secret}", secret) for line in self.recipe)]
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "other.txt").write_text("not a secret\n", encoding="utf-8")
        if self.in_context:
            (folder / FILE).write_text(f"{secret}\n", encoding="utf-8")
        if self.ignored:
            (folder / ".dockerignore").write_text(f"{FILE}\n", encoding="utf-8")

    def launch(self, secret: str, file: Path) -> Launch:
        """Return how the instance is started; ``file`` is a file of the host's with the secret."""
        return Launch(
            environment={NAME: secret} if self.variable else {},
            memory=(MEMORY,) if self.memory else (),
            files={file: f"{MOUNTED}/{FILE}"} if self.mounted else {},
        )


ROUTES = {
    "env": Route(recipe=(f"ENV {NAME}={{secret}}",)),
    "build-arg": Route(recipe=(f"ARG {NAME}", f'RUN test -n "${NAME}"'), argument=True),
    "copy-then-remove": Route(recipe=(f"COPY {FILE} /{FILE}", f"RUN rm /{FILE}"), in_context=True, path=f"/{FILE}"),
    "copy-all": Route(recipe=("COPY . /source",), in_context=True, path=f"/source/{FILE}"),
    "copy-all-ignored": Route(recipe=("COPY . /source",), in_context=True, ignored=True, path=f"/source/{FILE}"),
    "run-environment": Route(variable=True),
    "mounted-file": Route(mounted=True, path=f"{MOUNTED}/{FILE}"),
    "tmpfs-file": Route(memory=True, path=f"{MEMORY}/{FILE}"),
}
"""Name → way."""
PLACES = ("configuration", "history", "layers", "inspect", "environment", "file", "disk")
"""Where it is looked for, in the order of the table."""
