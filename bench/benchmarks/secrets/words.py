"""The result of ``secrets`` in sentences: which ways leave a secret in the image, which only in the instance."""

from __future__ import annotations

from bench.benchmarks.secrets import tables
from bench.benchmarks.secrets.routes import ROUTES
from bench.core.model import SENTINEL
from bench.display import lookup, prose
from bench.display.data import ScenarioData

_IN_IMAGE = {"configuration", "history", "layers"}
_MEANT = {"environment", "file"}


def words(data: ScenarioData) -> str:
    """Say of each target which ways keep a secret out of the image, and out of everything but the instance."""
    sentences = []
    for target in dict.fromkeys(row.target for row in data.invoked if row.target != SENTINEL):
        found = by_route(data, target)
        if found:
            kept = [route for route, places in found.items() if places & _IN_IMAGE]
            clean = [route for route, places in found.items() if places and not places - _MEANT]
            nowhere = [route for route, places in found.items() if not places]
            sentences.append(f"{target}: the image keeps a secret passed by {prose.joined(kept, 8)}" if kept else "")
            left = [route for route in found if _left(data, target, route)]
            sentences.append(
                f"It stays on the engine's disk after everything is removed if passed by {prose.joined(left, 8)}"
                if left
                else ""
            )
            sentences.append(f"Only the instance itself has it if passed by {prose.joined(clean, 8)}" if clean else "")
            sentences.append(f"It is found nowhere if passed by {prose.joined(nowhere, 8)}" if nowhere else "")
    sentences += _images(data)
    return prose.paragraph(sentences) or prose.no_values("secrets.places")


def finding(data: ScenarioData) -> str:
    """Count the ways that leave a secret in the image."""
    said = []
    for target in dict.fromkeys(row.target for row in data.invoked):
        if found := by_route(data, target):
            kept = sum(bool(places & _IN_IMAGE) for places in found.values())
            said.append(f"{target}: {kept} of {len(found)} ways leave a secret in the image")
    return "; ".join(said[:2])


def _left(data: ScenarioData, target: str, route: str) -> bool:
    rows = prose.with_values(data.summaries, "secrets.left", {"route": route})
    return any(row.median for row in rows if row.target == target)


def by_route(data: ScenarioData, target: str) -> dict[str, set[str]]:
    """Return where the secret was found, by the way in which it came."""
    rows = [row for row in data.invoked if row.target == target and data.summary(row, "secrets.places")]
    found = {tables.route_of(row): set(tables.places(data, row)) for row in rows}
    return {route: found[route] for route in lookup.in_order(found, ROUTES)}


def _images(data: ScenarioData) -> list[str]:
    rows = prose.with_values(data.summaries, "secrets.privileged")
    texts = [f"{row.params.get('base', '')} {row.median:g}" for row in rows if row.median is not None]
    scans = prose.with_values(data.summaries, "secrets.sbom_s")
    times = [f"{row.params.get('base', '')} {prose.value(row)}" for row in scans]
    said = (
        [f"Files with a set-user-id or set-group-id bit: {prose.joined(list(dict.fromkeys(texts)))}"] if texts else []
    )
    return [*said, f"A scanner lists what an image carries in {prose.joined(times)}"] if times else said
