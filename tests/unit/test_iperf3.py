"""iperf3 and sockperf: their arguments and their reports, valid or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.core.errors import InvocationFailed
from bench.workloads import iperf3, sockperf

DATA = Path(__file__).parents[1] / "data"


def said(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["iperf3/out.json", "iperf3/in.json", "iperf3/datagrams.json", "sockperf/report.txt"])
def test_report_lines_fit_the_payloads_line_length(name: str) -> None:
    assert max(map(len, said(name).splitlines())) < 240


def test_stream_bytes_and_seconds_are_the_receivers() -> None:
    out = iperf3.parse_streams(said("iperf3/out.json"), 1.1)
    assert out == iperf3.Streams(553385984, 1.00463, 8), "559677440 is what was sent, in 1.0029 s"
    assert iperf3.parse_streams(said("iperf3/in.json"), 1.1) == iperf3.Streams(797310976, 1.000045, 16)


def test_datagram_report_gives_received_and_lost_datagrams() -> None:
    found = iperf3.parse_datagrams(said("iperf3/datagrams.json"), 1.1)
    assert (found.bytes, found.lost, found.sent) == (11061400, 1020, 8921)
    assert found.jitter_s == pytest.approx(8.15998e-06)
    assert found.bytes == (found.sent - found.lost) * iperf3.UDP_BYTES
    back = iperf3.parse_datagrams(said("iperf3/datagrams-in.json"), 1.1)
    assert (back.bytes, back.lost, back.sent) == (11454800, 666, 8848)


def test_output_before_the_report_is_ignored() -> None:
    text = f"warning: something\n{said('iperf3/out.json')}\n"
    assert iperf3.parse_streams(text, 1.1).bytes == 553385984
    assert iperf3.version(text) == "iperf 3.12"
    assert iperf3.version("nothing of the kind") == "unknown"


def test_test_longer_than_its_process_is_refused() -> None:
    with pytest.raises(InvocationFailed, match=r"lasted 1.00463 s, but the host saw it live for 0.5 s"):
        iperf3.parse_streams(said("iperf3/out.json"), 0.5)
    with pytest.raises(InvocationFailed, match=r"ran for 1.\d+ s, but the host saw it live for 0.5 s"):
        sockperf.parse(said("sockperf/report.txt"), 0.5)


def test_refused_connection_is_reported() -> None:
    with pytest.raises(InvocationFailed, match="iperf3 failed: unable to connect to server: Connection refused"):
        iperf3.parse_streams(said("iperf3/refused.json"), 1.1)
    with pytest.raises(InvocationFailed, match="Connection refused"):
        sockperf.parse(said("sockperf/refused.txt"), 1.5)


@pytest.mark.parametrize("text", [said("iperf3/broken.json"), "", "{}", '{"end": {}}', '{"end": []}'])
def test_incomplete_report_is_refused(text: str) -> None:
    with pytest.raises(InvocationFailed, match="no report that can be read"):
        iperf3.parse_streams(text, 1.1)
    with pytest.raises(InvocationFailed, match="no report that can be read"):
        iperf3.parse_datagrams(text, 1.1)


def test_transfer_of_nothing_is_refused() -> None:
    with pytest.raises(InvocationFailed, match="moved 0 bytes"):
        iperf3.parse_streams('{"end": {"sum_sent": {}, "sum_received": {"bytes": 0, "seconds": 1}}}', 1.1)


def test_unknown_retransmits_are_none_not_zero() -> None:
    text = '{"end": {"sum_sent": {}, "sum_received": {"bytes": 9, "seconds": 1}}}'
    assert iperf3.parse_streams(text, 1.1).retransmits is None


def test_answers_are_round_trip_times_in_seconds() -> None:
    found = sockperf.parse(said("sockperf/report.txt"), 1.5)
    assert found.count == 22006
    assert found.p50_s == pytest.approx(14.341e-6)
    assert found.p99_s == pytest.approx(114.108e-6)
    assert sockperf.version(said("sockperf/report.txt")) == "3.7-no.git"


def test_sockperf_without_observations_is_refused() -> None:
    with pytest.raises(InvocationFailed, match="No valid observations found"):
        sockperf.parse(said("sockperf/broken.txt"), 1.5)


def test_reverse_client_receives() -> None:
    assert "--reverse" in iperf3.client("10.0.0.1", 1, 1, 1, reverse=True)
    assert "--reverse" not in iperf3.client("10.0.0.1", 1, 1, 4, reverse=False)
    assert "--udp" in iperf3.datagrams("10.0.0.1", 1, 1, reverse=False)


def test_udp_report_without_the_receivers_count_names_the_release() -> None:
    end = {"streams": [], "sum": {"seconds": 1.0, "bytes": 1400, "jitter_ms": 0.02, "lost_packets": 0, "packets": 1}}
    text = json.dumps({"start": {"version": "iperf 3.9"}, "end": end})
    with pytest.raises(
        InvocationFailed, match=r"iperf 3\.9 does not report .*sum_received.*; iperf3 3\.11 and later do"
    ):
        iperf3.parse_datagrams(text, 2.0)
