"""Tests of what is sent to other systems: each is read by that system's own library, or by a server on this host."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from bench import cli, store
from bench.core.errors import StoreError, UsageError
from bench.interchange import export, otlp
from bench.interchange.gauges import STARTED
from bench.interchange.series import named_series
from tests.synthetic_pairs import write

STARTED_AT = "2026-03-01T01:00:00+00:00"
ODD = 'runc:bin=/a "b"\\c\nd'
"""A target with every character that the text formats escape."""


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    values: dict[str, list[float | None]] = {
        "host": [0.1 + 0.001 * n for n in range(8)],
        ODD: [0.2 + 0.001 * n for n in range(8)],
    }
    write(tmp_path, "r1", values, sentinel=[0.04] * 8, host="web1", started_at=STARTED_AT)
    return store.load(tmp_path / "r1")


def text_of(run: store.Run, fmt: str) -> str:
    text = export.export(run, fmt)
    assert isinstance(text, str)
    return text


@dataclass
class Receiver:
    """A server that keeps what it gets and answers with ``status``."""

    url: str
    status: int = 200
    got: list[tuple[str, str, str, bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.command, self.path, self.headers["Content-Type"], body))
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT  # noqa: N815 - the name that the library calls

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody() -> Iterator[str]:
    """Return an address at which nobody listens, on a port that nobody else can get meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_openmetrics_families_have_help_type_and_unit(run: store.Run) -> None:
    text = text_of(run, "openmetrics")
    name = "tare_startup_ready_seconds"
    assert all(f"# {word} {name} " in text for word in ("HELP", "TYPE", "UNIT"))
    assert text.endswith("# EOF\n")
    families = {one.name: one for one in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert set(families) == {name, STARTED}
    assert (families[name].type, families[name].unit) == ("gauge", "seconds")
    assert ODD in {one.labels["target"] for one in families[name].samples}


def test_openmetrics_samples_have_no_timestamps_but_say_their_age(run: store.Run) -> None:
    families = {one.name: one for one in text_string_to_metric_families(text_of(run, "openmetrics"))}  # type: ignore[no-untyped-call]
    assert {one.timestamp for family in families.values() for one in family.samples} == {None}
    (sample,) = families[STARTED].samples
    assert (sample.value, sample.labels) == (1772326800, {"host": "web1", "run": "r1"})


def test_openmetrics_file_is_also_text_of_the_older_format_which_textfile_collectors_read(run: store.Run) -> None:
    families = {one.name: one for one in text_families(text_of(run, "openmetrics"))}
    assert {one.labels["target"] for one in families["tare_startup_ready_seconds"].samples} == {"host", ODD}


def test_exported_file_is_replaced_in_one_step(run: store.Run, tmp_path: Path) -> None:
    file = tmp_path / "tare.prom"
    file.write_text("old")
    held = file.open()
    given = ["export", str(run.path), "--format", "openmetrics", "-o", str(file)]
    assert CliRunner().invoke(cli.tare, given, standalone_mode=False).exception is None
    with held:
        assert held.read() == "old", "a reader that had it open sees the old file, whole"
    assert file.read_text() == text_of(run, "openmetrics")
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


def test_export_into_a_link_keeps_the_link(run: store.Run, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    given = ["export", str(run.path), "--format", "csv", "-o", str(tmp_path / "link.csv")]
    assert CliRunner().invoke(cli.tare, given, standalone_mode=False).exception is None
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == text_of(run, "csv")


def test_export_into_a_folder_is_refused(run: store.Run, tmp_path: Path) -> None:
    given = ["export", str(run.path), "--format", "csv", "-o", str(tmp_path)]
    assert "is a folder: name a file" in str(CliRunner().invoke(cli.tare, given, standalone_mode=False).exception)


def test_pushgateway_gets_the_gauges_in_the_group_of_the_host(run: store.Run, receiver: Receiver) -> None:
    export.push(run, "openmetrics", receiver.url)
    ((method, path, kind, body),) = receiver.got
    assert (method, path) == ("PUT", "/metrics/job/tare/instance/web1")
    assert kind.startswith("text/plain")
    families = {one.name: one for one in text_families(body.decode())}
    values = {
        (one.labels["target"], one.labels["stat"]): one.value for one in families["tare_startup_ready_seconds"].samples
    }
    expected = {(one.series.target, stat): value for one in named_series(run) for stat, value in one.stats.items()}
    assert values == expected
    assert STARTED in families


@pytest.mark.parametrize("fmt", ["openmetrics", "otlp"])
def test_refused_push_is_an_error_with_the_answer(run: store.Run, receiver: Receiver, fmt: str) -> None:
    receiver.status = 400
    with pytest.raises(StoreError, match=rf"cannot push to '{receiver.url}': .*(Bad Request|400)"):
        export.push(run, fmt, receiver.url)


def test_push_where_nobody_listens_is_an_error(run: store.Run, nobody: str) -> None:
    with pytest.raises(StoreError, match=r"cannot push .*refused.*see that a Pushgateway listens there"):
        export.push(run, "openmetrics", nobody)


def test_push_command_says_what_was_pushed(run: store.Run, receiver: Receiver) -> None:
    given = ["export", str(run.path), "--format", "openmetrics", "--push", receiver.url]
    done = CliRunner().invoke(cli.tare, given, standalone_mode=False)
    assert done.exception is None
    assert done.stdout == f"pushed r1 to {receiver.url}\n"


@pytest.mark.parametrize(
    ("fmt", "url", "message"),
    [
        ("csv", "http://127.0.0.1:1", "unknown format to push 'csv', allowed: openmetrics, otlp"),
        ("openmetrics", "127.0.0.1:9091", "is not an address to push to: write http://HOST:PORT"),
    ],
)
def test_push_of_another_format_or_to_no_address_is_refused(run: store.Run, fmt: str, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        export.push(run, fmt, url)


def points(request: Any) -> dict[tuple[str, str, str], float]:
    """Return (metric, target, stat) → value of a request, read through the protocol's own classes."""
    found = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.gauge.data_points:
            given = {one.key: one.value.string_value for one in point.attributes}
            found[metric.name, given["target"], given["stat"]] = point.as_double
    return found


def test_otlp_receiver_gets_every_series_with_the_time_of_the_run(run: store.Run, receiver: Receiver) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest  # noqa: PLC0415

    export.push(run, "otlp", f"{receiver.url}/v1/metrics")
    ((method, path, kind, body),) = receiver.got
    assert (method, path, kind) == ("POST", "/v1/metrics", "application/x-protobuf")
    request = ExportMetricsServiceRequest.FromString(body)
    expected = {
        ("tare.startup.ready", one.series.target, stat): value
        for one in named_series(run)
        for stat, value in one.stats.items()
    }
    assert points(request) == expected
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    assert {(one.name, one.unit) for one in metrics} == {("tare.startup.ready", "s")}
    assert {point.time_unix_nano for one in metrics for point in one.gauge.data_points} == {1772326800 * 10**9}
    resource = {one.key: one.value.string_value for one in request.resource_metrics[0].resource.attributes}
    assert (resource["service.name"], resource["host.name"], resource["tare.run_id"]) == ("tare", "web1", "r1")


def test_otlp_file_is_the_same_request_as_json(run: store.Run) -> None:
    from google.protobuf import json_format  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest  # noqa: PLC0415

    text = text_of(run, "otlp")
    request = json_format.Parse(text, ExportMetricsServiceRequest())
    assert len(points(request)) == 6
    assert text.count("\n") == 1, "a collector's file receiver reads one request a line"


def test_otlp_push_where_nobody_listens_is_an_error(
    run: store.Run, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "_TIMEOUT_S", 0.5)  # the exporter tries again until then
    with pytest.raises(StoreError, match=r"cannot push .*: .*see that an OTLP receiver listens there"):
        export.push(run, "otlp", nobody)


def test_otlp_of_a_run_without_a_start_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "r2", {"host": [0.1] * 6})
    with pytest.raises(UsageError, match="has no start time"):
        export.export(store.load(tmp_path / "r2"), "otlp")


def test_otlp_without_the_sdk_names_the_extra(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics.export", None)
    with pytest.raises(UsageError, match=r"tare-bench\[otlp\]"):
        export.export(run, "otlp")


SAMPLE = Path(__file__).parents[2] / "results/sample"
METRIC = re.compile(r"\btare_[a-z0-9_]+")


@pytest.fixture(scope="module")
def sample() -> store.Run:
    return store.load(SAMPLE)


@pytest.fixture(scope="module")
def board(sample: store.Run) -> Any:
    return json.loads(text_of(sample, "grafana"))


def test_every_query_of_the_dashboard_names_a_metric_that_openmetrics_has(sample: store.Run, board: Any) -> None:
    families = {one.name: one for one in text_string_to_metric_families(text_of(sample, "openmetrics"))}  # type: ignore[no-untyped-call]
    charts = [panel for panel in board["panels"] if panel["type"] != "row"]
    queries = [target["expr"] for panel in charts for target in panel["targets"]]
    named = [METRIC.findall(query) for query in queries]
    assert {len(one) for one in named} == {1}
    variables = {name for one in board["templating"]["list"] for name in METRIC.findall(one["query"])}
    assert {name for (name,) in named} | {STARTED} == set(families) == variables
    for query, (name,) in zip(queries, named, strict=True):
        (scenario,) = re.findall(r'scenario="([^"]+)"', query)
        chosen = [
            one
            for one in families[name].samples
            if one.labels["scenario"] == scenario and one.labels["stat"] == "median"
        ]
        assert chosen, query
        labels = set(re.findall(r"([a-z]+)(?:=~|=)", query.split("{")[1])) | {"run"}
        assert labels <= set(chosen[0].labels)


def test_dashboard_is_what_the_schema_of_grafana_reads(board: Any) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    read = Dashboard.from_json(board)
    again = json.loads(JSONEncoder(sort_keys=True).encode(read))
    assert lost(board, again) == []


def lost(given: Any, kept: Any, path: str = "") -> list[str]:
    """Return the paths of what was given and is not kept: fields that the schema does not know are dropped when it is read."""
    if isinstance(given, dict):
        return [
            one
            for key, value in given.items()
            for one in (lost(value, kept.get(key), f"{path}/{key}") if isinstance(kept, dict) else [path])
        ]
    if isinstance(given, list):
        same = isinstance(kept, list) and len(kept) == len(given)
        return [one for n, value in enumerate(given) for one in lost(value, kept[n], f"{path}/{n}")] if same else [path]
    return [] if given == kept else [path]


def test_charts_of_the_dashboard_do_not_overlap(board: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
