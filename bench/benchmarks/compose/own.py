"""A compose file of the user's own: what is read of it, and what is refused before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.core.document import Document
from bench.core.errors import InvocationFailed, ScenarioError
from bench.engines.abilities import Projects, RunsImages
from bench.engines.projects import Check, Need, Project, Service
from bench.invocation.context import InvocationContext
from bench.lab import bases, images

PROJECT = "file"
"""Value of the parameter ``project`` that stands for a file of the user's own."""


def project(context: InvocationContext) -> Project:
    """Read the file that the parameter names.

    Raises:
        InvocationFailed: It cannot be read, is no compose file, or builds from outside its folder.
    """
    if not context.params["file"]:
        msg = "project=file needs file=PATH, a compose file"
        raise InvocationFailed(msg)
    path = Path(str(context.params["file"])).resolve()
    return Project(
        name=context.name,
        folder=context.lab.paths.run / "compose" / str(context.invocation.index),
        services=services_of(path),
        timeout_s=context.timeout_s,
        given=path,
    )


def services_of(path: Path) -> tuple[Service, ...]:
    """Return the services of a compose file.

    Raises:
        InvocationFailed: It cannot be read, is no compose file, or builds from outside its folder.
    """
    try:
        data = Document(path).data
    except ScenarioError as error:
        raise InvocationFailed(str(error)) from error
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or not all(isinstance(one, dict) for one in services.values()) or not services:
        msg = f"'{path}' is no compose file: it has no services"
        raise InvocationFailed(msg)
    return tuple(_service(path, str(name), one) for name, one in services.items())


def check_images(context: InvocationContext, projects: Projects, project: Project) -> None:
    """Load the images of a file that are Tare's, copy others from the user's own engine, and name those that are nowhere.

    Raises:
        InvocationFailed: One is nowhere; nothing has been started.
    """
    wanted = {str(one.image): one.name for one in project.services if one.image}
    if isinstance(context.engine, RunsImages):
        for name, make in _tares(context).items():
            if name in wanted:
                context.engine.images.add(make())
    if absent := projects.missing(list(wanted)):
        listed = ", ".join(f"'{name}' (service {wanted[name]})" for name in absent)
        known = ", ".join(_tares(context))
        msg = f"no image {listed} here nor in the user's own engine, and nothing is pulled; Tare's are: {known}"
        raise InvocationFailed(msg)


def _tares(context: InvocationContext) -> Mapping[str, Any]:
    state = context.lab.paths.state
    return {
        images.IMAGE: lambda: images.image(state),
        **{
            f"tare/{name}:latest": lambda name=name: bases.alone(state, name)
            for name in (*bases.NAMES[1:], bases.SERVICES)
        },
    }


def _service(path: Path, name: str, given: Mapping[str, Any]) -> Service:
    """Return what is measured of a service; its image is empty if it is built."""
    _check_build(path, name, given.get("build"))
    image = str(given.get("image") or "")
    if not image and not given.get("build"):
        msg = f"service '{name}' in '{path}' has neither an image nor a build"
        raise InvocationFailed(msg)
    if "$" in image:
        msg = f"the image '{image}' of service '{name}' in '{path}' has a variable: write its value"
        raise InvocationFailed(msg)
    checked = isinstance(given.get("healthcheck"), dict) and not given["healthcheck"].get("disable")
    return Service(
        name,
        "" if given.get("build") else image,
        needs=needs_of(given.get("depends_on") or ()),
        check=Check((), 0.0) if checked else None,
    )


def needs_of(given: Mapping[str, Any] | Sequence[str]) -> tuple[Need, ...]:
    """Return what ``depends_on`` says, in its short or its long form; a service that must have ended counts as started."""
    if isinstance(given, Mapping):
        return tuple(
            Need(str(name), healthy=isinstance(how, dict) and how.get("condition") == "service_healthy")
            for name, how in given.items()
        )
    return tuple(Need(str(name)) for name in given)


def _check_build(path: Path, name: str, build: object) -> None:
    """Check that a build reads nothing outside the file's folder.

    Raises:
        InvocationFailed: Its context or its Dockerfile is elsewhere.
    """
    if not build:
        return
    parts = build if isinstance(build, dict) else {"context": build}
    context = str(parts.get("context") or ".")
    folder = (path.parent / context).resolve()
    inside = [folder, (folder / str(parts.get("dockerfile") or "Dockerfile")).resolve()]
    extra = [one for key in ("additional_contexts", "ssh", "secrets") if (one := parts.get(key))]
    if "://" in context or extra or not all(one.is_relative_to(path.parent) for one in inside):
        msg = f"service '{name}' in '{path}' is built from '{context}', which is not within the file's folder: refused"
        raise InvocationFailed(msg)
