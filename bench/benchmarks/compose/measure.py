"""Measure one project with one client: up, up again, exec, logs, scale, down, and what is left afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.benchmarks.compose import operations, order, own, shapes
from bench.benchmarks.compose.operations import Running
from bench.benchmarks.compose.proxy import counting
from bench.benchmarks.compose.watch import watched
from bench.core.clock import now_s
from bench.core.errors import NotApplicable, TareError
from bench.engines.abilities import ComposesProjects, Projects
from bench.engines.projects import Project
from bench.invocation.context import InvocationContext, InvocationResult, Value


def measure(context: InvocationContext) -> InvocationResult:
    """Make the project, use it, and remove it."""
    if not isinstance(context.engine, ComposesProjects):
        msg = f"no client that reads compose files makes instances of '{context.engine.target.text}'"
        raise NotApplicable(msg)
    projects = context.engine.projects
    project = _project(context)
    context.lab.journal.add("process", name=project.name)
    with _prepared(context, projects, project) as running:
        begin, series, values = now_s(), list[Value](), dict[str, float]()
        context.note_request(begin)
        values |= operations.up(running, begin)
        evidence = operations.evidence(running)
        values |= order.judged(running)
        series += order.series(running, begin)
        series += operations.calls_of(running)
        if context.params["operations"] == "all":
            values |= operations.again(running) if project.given else operations.used(running)
        gone = operations.down(running)
        left = operations.leftovers(running)
    values |= gone | {"compose.leftovers": float(len(left))}
    notes = {"client": running.client.version(), "left": ", ".join(left) or "nothing", **order.notes(running)}
    return InvocationResult(values, evidence, series=tuple(series), notes=notes | running.notes)


def _project(context: InvocationContext) -> Project:
    if context.params["project"] == own.PROJECT:
        return own.project(context)
    if context.params["file"]:
        msg = f"project={context.params['project']} is not made of a file of your own: give project={own.PROJECT}, too"
        raise NotApplicable(msg)
    return shapes.project(context)


@contextlib.contextmanager
def _prepared(context: InvocationContext, projects: Projects, project: Project) -> Iterator[Running]:
    """Yield a project of which nothing is there, and its client; afterwards nothing of it is there."""
    projects.provide(project)
    project.write()
    with contextlib.ExitStack() as stack:
        channels = {
            one.name: stack.enter_context(context.hub.channel(one.events, "datagram"))
            for one in project.services
            if one.events
        }
        proxy = stack.enter_context(counting(project.folder / "engine", projects.socket))
        client = projects.client(str(context.params["client"]), project, proxy.path)
        stack.callback(client.close)
        if project.given:
            own.check_images(context, projects, project)
        stack.enter_context(_removed(context, projects, project))
        watch = stack.enter_context(watched(projects, project))
        yield Running(context, projects, project, client, proxy, channels, watch)


@contextlib.contextmanager
def _removed(context: InvocationContext, projects: Projects, project: Project) -> Iterator[None]:
    """Remove what is there of a project after the block, also when the block fails; the first error is the one raised."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(TareError), context.account.engine():
            projects.remove(project)
        raise
    with context.account.engine():
        projects.remove(project)
