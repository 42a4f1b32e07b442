"""The site over a results folder: what its pages say, and that every link leads somewhere."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from bench import claims, cli, site, store
from bench.claims import Decision
from bench.claims.votes import Judged, polls
from bench.core.model import RunState
from bench.core.units import format_value
from bench.report import collect
from bench.site import names
from bench.site.names import SeriesName
from tests import synthetic_history
from tests.synthetic_history import HOSTILE, Nights, add, change, run_id
from tests.synthetic_pairs import write

DOCKER = SeriesName("bench-01", "nightly", "startup", "docker:network=none", "{}", "startup.ready_s")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_history.example(tmp_path_factory.mktemp("example") / "results")


@pytest.fixture(scope="module")
def built(results: Path) -> Path:
    return site.build(results, results.parent / "site").page.parent


def made(folder: Path) -> Path:
    return site.build(folder, folder.parent / "site").page.parent


class Page(HTMLParser):
    """The links, ids and texts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag."""
        found = dict(attrs)
        self.text += " " if tag in ("td", "th", "p", "li", "dt", "dd", "h1", "h2", "h3", "figcaption") else ""
        self.tags.append(tag)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        self.links += [found[name] or "" for name in ("href", "src") if name in found]

    def handle_data(self, data: str) -> None:
        """Take a text."""
        self.text += data

    @property
    def words(self) -> str:
        """The text on one line."""
        return " ".join(self.text.split())


def pages(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.html"))


def page_of(folder: Path, name: SeriesName) -> Page:
    return Page(folder / name.path)


def test_every_link_of_every_page_leads_to_a_file_and_a_place_in_it(built: Path) -> None:
    found = {path.resolve(): Page(path) for path in pages(built)}
    assert len(found) > 40
    wrong = []
    for path, page in found.items():
        for link in page.links:
            file, _, place = link.partition("#")
            there = (path.parent / unquote(file)).resolve() if file else path
            if not there.is_file() or (place and place not in found[there].ids):
                wrong.append((path.name, link))
    assert wrong == []


def test_no_page_asks_for_anything_elsewhere(built: Path) -> None:
    links = [link for path in pages(built) for link in Page(path).links]
    assert [link for link in links if re.match(r"[a-z+]+:|//", link)] == []
    assert "url(" not in (built / "site.css").read_text(encoding="utf-8")


def test_all_files_are_what_their_names_say(built: Path) -> None:
    for path in built.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    for path in (*built.glob("*.svg"), built / "feed.xml"):
        ET.parse(path)  # noqa: S314 - our own file


def test_hostile_names_are_text(built: Path) -> None:
    assert all(page.tags.count("script") == 1 for page in map(Page, pages(built)))
    assert HOSTILE.split("\n")[0] in Page(built / "targets.html").text
    assert "\u202egnol" in Page(built / "hosts.html").text


def test_overview_says_how_much_got_worse_and_hides_what_is_not_clear(built: Path) -> None:
    text = (built / "index.html").read_text(encoding="utf-8")
    assert "Of 8 series 1 got worse since last good, on 2 hosts." in text
    shown, _, hidden = text.partition('<details id="others">')
    assert shown.count('<tr class="worse"') == 1
    assert "docker:network=none" in shown
    assert hidden.count("unchanged") == 7
    assert "acknowledged until 2027-01-31: upstream 1234" in shown


def test_changes_are_sorted_by_multiples_of_the_threshold(tmp_path: Path) -> None:
    levels = {"host": 1.0, "runc": 1.0, "crun": 1.0, "docker": 1.0}
    growth = {"runc": 1.1, "crun": 1.4, "docker": 0.8}
    nights = Nights(levels=levels, factor=lambda number, target: growth.get(target, 1.0) if number == 8 else 1.0)
    add(tmp_path / "results", range(9), nights)
    folder = made(tmp_path / "results")
    rows = re.findall(r'<tr class="(\w*)" data-name="(\w+)', (folder / "index.html").read_text(encoding="utf-8"))
    assert rows == [("worse", "crun"), ("better", "docker"), ("worse", "runc"), ("", "host")]
    (track,) = json.loads((folder / "changes.json").read_text(encoding="utf-8"))["tracks"]
    clear = [one for one in track["results"] if one["significant"]]
    assert [one["times_threshold"] for one in clear] == sorted((one["times_threshold"] for one in clear), reverse=True)
    assert all(one["change_threshold"] >= 0.03 for one in clear)


def test_lasting_regression_stays_a_change_until_a_run_is_tagged(tmp_path: Path) -> None:
    worse = Nights(factor=lambda number, target: 1.3 if target == "runc" and number >= 10 else 1.0)
    ids = add(tmp_path / "results", range(20), worse)
    folder = made(tmp_path / "results")
    data = json.loads((folder / "changes.json").read_text(encoding="utf-8"))["tracks"][0]
    assert [one["target"] for one in data["results"] if one["verdict"] == "regressed"] == ["runc"]
    assert (
        f"Last good: {ids[9]}"
        in page_of(folder, SeriesName("bench-01", "", "startup", "runc", "{}", "startup.ready_s")).words
    )
    change(tmp_path / "results" / ids[15], tags={"baseline": "main"})
    text = Page(made(tmp_path / "results") / "index.html").words
    assert "Nothing changed since last good: 4 series compared on 1 host." in text
    assert f"{ids[19]} against {ids[15]}, which is tagged baseline=main" in text


def test_regression_of_a_night_s_record_is_no_part_of_the_base(tmp_path: Path) -> None:
    worse = Nights(suite="quick", factor=lambda number, target: 1.3 if target == "runc" and number >= 8 else 1.0)
    ids = add(tmp_path / "results", range(10), worse)
    series = {"scenario": "startup", "target": "runc", "params": {}, "metric": "startup.ready_s"}
    record = json.dumps({"confirmed": [series], "new": []})
    (tmp_path / "results" / ids[8] / "nightly.json").write_text(record)
    name = SeriesName("bench-01", "quick", "startup", "runc", "{}", "startup.ready_s")
    page = page_of(made(tmp_path / "results"), name)
    assert "Regressed since last good: 1." in page.words
    assert f"Last good: {ids[7]}" in page.words


def test_series_page_marks_epochs_versions_steps_and_acknowledgements(built: Path) -> None:
    page = page_of(built, DOCKER)
    assert "New epoch 20260309T020000Z-bench-01-0008 kernel: '6.1.0' and '6.1.1'" in page.words
    assert "Lasting step, worse 20260323T020000Z-bench-01-0016 1.20×" in page.words
    assert "Acknowledged 20260326T020000Z-bench-01-0019 upstream 1234 (until 2027-01-31)" in page.words
    crun = page_of(built, SeriesName("bench-01", "nightly", "startup", "crun", "{}", "startup.ready_s"))
    assert "Version 20260315T020000Z-bench-01-000e version: '1.8.1' and '1.9'" in crun.words


def test_runs_without_a_value_are_gaps_of_the_line(built: Path) -> None:
    name = SeriesName("bench-01", "nightly", "startup", "runc", "{}", "startup.ready_s")
    assert "The line is broken where a run has no value (2) or a new epoch begins." in page_of(built, name).words
    text = (built / name.path).read_text(encoding="utf-8")
    drawing = text[text.index("<svg") : text.index("</svg>")]
    line = re.findall(r'<path d="(M[^"]*)" style="[^"]*stroke-opacity:\.75"', drawing)
    assert [path.count("M") for path in line] == [3]  # two epochs and one gap
    assert drawing.count("<circle") == 26


def test_numbers_are_those_of_show(built: Path, results: Path) -> None:
    run = store.load(results / run_id(Nights(), 29))
    medians = {one.target: one.median for one in collect(run).summaries if one.metric == "startup.ready_s"}
    for target in synthetic_history.LEVELS:
        name = SeriesName("bench-01", "nightly", "startup", target, "{}", "startup.ready_s")
        for path in (name.path, names.run(run.run_id), names.target(target)):
            assert format_value(medians[target], "s") in Page(built / path).words, path


def test_claims_are_the_votes_of_the_hosts(built: Path, results: Path) -> None:
    newest = [run_id(Nights(), 29), run_id(Nights(host="bench-02"), 2)]
    runs = [store.load(results / name) for name in newest]
    judged = [Judged(run, claims.judge(run)) for run in runs]
    wanted = {poll.claim.name: [str(vote.decision) for vote in poll.votes] for poll in polls(judged)}
    found = json.loads((built / "claims.json").read_text(encoding="utf-8"))["claims"]
    mine = {
        one["name"]: [vote["decision"] for vote in one["hosts"] if vote["host"].startswith("bench")] for one in found
    }
    assert mine == wanted
    assert any(str(Decision.SUPPORTED) in said for said in mine.values())


def test_coverage_names_reason_remedy_and_the_commands_of_what_was_never_measured(built: Path) -> None:
    page = Page(built / "coverage.html")
    assert "runsc startup" in page.words
    assert "there is no 'runsc' on PATH" in page.words
    assert "tare provision runsc" in page.words
    assert re.search(r"tare run [a-z -]*\bmemory\b", page.words)


def test_coverage_names_a_target_that_is_no_longer_measured_and_one_without_a_value(tmp_path: Path) -> None:
    write(tmp_path / "results", "a", {"host": [1.0] * 6, "runc": [2.0] * 6, "crun": [2.0] * 6}, started_at="2026-01-01")
    write(tmp_path / "results", "b", {"host": [1.0] * 6, "crun": [None] * 6}, started_at="2026-01-02")
    gaps = json.loads((made(tmp_path / "results") / "coverage.json").read_text(encoding="utf-8"))["gaps"]
    assert [(one["what"], one["why"], one["command"]) for one in gaps] == [
        ("crun", "no value in the newest run", "tare show b --scenario startup"),
        ("runc", "not in the newest run", "tare run startup -t runc"),
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [(RunState.RUNNING, "Running, or killed."), (RunState.INTERRUPTED, "Interrupted.")],
)
def test_run_that_did_not_finish_is_shown_and_said_so(tmp_path: Path, state: RunState, said: str) -> None:
    (name,) = add(tmp_path / "results", [1])
    change(tmp_path / "results" / name, state=state)
    folder = made(tmp_path / "results")
    assert said in Page(folder / names.run(name)).words
    assert "Nothing can be compared yet" in Page(folder / "index.html").words
    assert "no run is complete, so nothing is compared" in Page(folder / "index.html").words
    assert (
        "did not finish"
        in page_of(folder, SeriesName("bench-01", "", "startup", "runc", "{}", "startup.ready_s")).words
    )


def test_run_of_one_target_whose_invocations_all_failed_is_shown(tmp_path: Path) -> None:
    write(tmp_path / "results", "bad", {"runc": [None] * 5}, started_at="2026-01-01T00:00:00+00:00", host="h")
    folder = made(tmp_path / "results")
    assert "Every invocation failed." in Page(folder / names.run("bad")).words
    assert "no invocation gave a value" in Page(folder / "coverage.html").words


def test_copy_of_a_run_and_fresh_blocks_are_no_points_of_a_series(tmp_path: Path) -> None:
    first, _, again = add(tmp_path / "results", range(3))
    change(tmp_path / "results" / again, tags={"confirms": first})
    (tmp_path / "results" / first).rename(tmp_path / "results" / "zz-copy")
    add(tmp_path / "results", [0])
    folder = made(tmp_path / "results")
    name = SeriesName("bench-01", "", "startup", "runc", "{}", "startup.ready_s")
    data = json.loads((folder / names.data(name.path)).read_text(encoding="utf-8"))
    assert len(data["runs"]) == 2
    assert f"A copy of {first}." in Page(folder / names.run("zz-copy")).words
    assert f"Fresh blocks of {first}." in Page(folder / names.run(again)).words


def test_runs_of_two_hosts_of_one_name_are_compared_with_none_of_each_other(tmp_path: Path) -> None:
    boots = Nights(more=lambda number: {"facts": {"boot": "ab"[number % 2]}, "started_mono_s": 86400.0 * (number + 1)})
    ids = add(tmp_path / "results", range(4), boots)
    page = page_of(made(tmp_path / "results"), SeriesName("bench-01", "", "startup", "runc", "{}", "startup.ready_s"))
    assert f"New epoch {ids[1]} another host of the same name" in page.words
    assert f"{ids[3]} against 1 earlier run of its epoch" in page.words


def test_reports_and_comparisons_beside_the_site_are_linked(tmp_path: Path) -> None:
    ids = add(tmp_path / "results", range(3))
    folder = made(tmp_path / "results")
    (tmp_path / ids[2]).mkdir()
    (tmp_path / ids[2] / "index.html").write_text("")
    built = folder / names.comparison(ids[0], ids[2])
    built.mkdir(parents=True)
    (built / "compare.html").write_text("")
    made(tmp_path / "results")
    assert f"../../{ids[2]}/index.html" in Page(folder / names.run(ids[2])).links
    page = page_of(folder, SeriesName("bench-01", "", "startup", "runc", "{}", "startup.ready_s"))
    assert f"../../../../compare/{ids[0]}..{ids[2]}/compare.html" in page.links
    assert "tare compare BASE NEW" in page.words


def test_addresses_are_distinct_safe_and_the_same_after_new_runs(built: Path, results: Path, tmp_path: Path) -> None:
    odd = ("a/b", "a-b", "a:b", "A b", "..", ".", "", "x" * 300, HOSTILE, "\u202e", "ä", "%2e", "con\x00trol")
    parts = [names.part(one) for one in odd]
    assert len(set(parts)) == len(odd)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", one) for one in parts)
    before = {path.relative_to(built) for path in pages(built)}
    shutil.copytree(results, tmp_path / "results")
    add(tmp_path / "results", [50], Nights(host="bench-02"))
    folder = made(tmp_path / "results")
    assert before < {path.relative_to(folder) for path in pages(folder)}


def test_feed_has_changes_and_steps_whose_ids_stay_after_a_new_run(tmp_path: Path) -> None:
    worse = Nights(factor=lambda number, target: 1.3 if target == "runc" and number >= 10 else 1.0)
    found = []
    for numbers in (range(20), [20]):
        add(tmp_path / "results", numbers, worse)
        entries = ET.parse(made(tmp_path / "results") / "feed.xml").findall("{*}entry")  # noqa: S314 - our own file
        found.append({one.findtext("{*}id"): one.findtext("{*}title") for one in entries})
    assert found[0] == found[1]
    assert sorted(str(one) for one in found[0].values()) == [
        "runc regressed: request → ready",
        "runc, lasting step, worse: request → ready",
    ]


def test_badges_count_regressions_and_claims(built: Path) -> None:
    assert ">1</text>" in (built / "badge-regressions.svg").read_text(encoding="utf-8")
    assert "supported" in (built / "badge-claims.svg").read_text(encoding="utf-8")


def test_instrument_page_has_sentinel_and_control(built: Path) -> None:
    page = Page(built / "instrument.html")
    assert "stamp c" in page.words
    tracks = json.loads((built / "instrument.json").read_text(encoding="utf-8"))["tracks"]
    (control,) = next(one["controls"] for one in tracks if one["suite"] == "nightly")
    assert control["runs"] == 28
    assert 0.9 < float(control["newest"].rstrip("×")) < 1.1


@pytest.mark.parametrize("what", ["empty", "absent", "file"])
def test_results_folder_without_a_run_is_bad_usage(tmp_path: Path, what: str) -> None:
    results = tmp_path / "results"
    if what == "empty":
        results.mkdir()
    elif what == "file":
        results.write_text("")
    done = CliRunner().invoke(cli.tare, ["site", str(results), "-o", str(tmp_path / "site")], standalone_mode=False)
    assert getattr(done.exception, "exit_code", None) == 2
    assert not (tmp_path / "site").exists()


def test_command_prints_the_first_page_and_the_counts(tmp_path: Path) -> None:
    add(tmp_path / "results", range(2))
    arguments = ["site", str(tmp_path / "results"), "-o", str(tmp_path / "site")]
    assert (
        CliRunner().invoke(cli.tare, arguments, standalone_mode=False).stdout == f"{tmp_path / 'site' / 'index.html'}\n"
    )
    again = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert re.search(r"0 files written, \d+ unchanged, 0 removed", again.stderr)
