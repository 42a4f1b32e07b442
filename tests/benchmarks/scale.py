"""Memory and time of import, show, report and compare by rows: ``python -m tests.benchmarks.scale [--folder DIR] ROWS…``.

Each command is a process of its own, as a user starts it, on two files of so many rows. The figures replace those of the same rows in
``docs/scale.csv``, and the chart of all figures is drawn anew (``docs/images/scale.svg`` and ``.png``). CPU seconds compare on a busy
machine, elapsed ones do not. Without ROWS only the chart is drawn.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench import __version__
from bench.core.clock import now_s, wall_time
from bench.display import canvas, theme

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs/scale.csv"
CHART = ROOT / "docs/images/scale.svg"
METRICS = ("startup.created_s", "startup.started_s", "startup.first_instruction_s", "startup.ready_s")
TARGETS = ("host", *(f"runc:bin=/{number}" for number in range(9)))
ROWS_AT_A_TIME = 400_000
COMMANDS = ("import", "show", "report", "compare")
COLOURS = dict(zip(COMMANDS, (theme.FAMILIES[name] for name in ("oci", "sandbox", "vm", "docker")), strict=True))
MARKS = dict(zip(COMMANDS, "os^D", strict=True))

Figure = Mapping[str, str | int | float]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("rows", type=int, nargs="*")
    options.add_argument("--folder", type=Path, help="where files and runs are for that time; 1.2 GB for 10⁶ rows")
    given = options.parse_args()
    for rows in given.rows:
        folder = Path(tempfile.mkdtemp(prefix="scale-", dir=given.folder))
        try:
            keep(FIGURES, list(measured(folder, rows)))
        finally:
            shutil.rmtree(folder)
    draw(read(FIGURES), CHART)


def measured(folder: Path, rows: int) -> Iterator[Figure]:
    """Yield the figures of each command; the import is that of the first file."""
    runs = []
    for seed in (1, 2):
        path = folder / f"{seed}.csv"
        write(path, rows, seed)
        figure, said = command(folder, "import", str(path), "--format", "csv")
        path.unlink()
        runs.append(said.split()[-1])
        if seed == 1:
            yield {"rows": rows, **figure, "written_bytes": size(folder / "results" / runs[0])}
    for words in (("show", runs[0]), ("report", runs[0], "-o", "page"), ("compare", *runs)):
        figure, _ = command(folder, *words)
        yield {"rows": rows, **figure, "written_bytes": size(folder / "page") if words[0] == "report" else 0}


def write(path: Path, rows: int, seed: int) -> None:
    """Write a CSV of about ``rows`` measurements: ten targets with four metrics an invocation, block by block."""
    rng = np.random.default_rng(seed)
    of_block = len(TARGETS) * len(METRICS)
    blocks, step = rows // of_block, ROWS_AT_A_TIME // of_block
    for start in range(0, blocks, step):
        numbers = range(start, min(blocks, start + step))
        places = pd.MultiIndex.from_product([numbers, TARGETS, METRICS], names=["block", "target", "metric"])
        frame = places.to_frame(index=False).assign(scenario="startup")
        frame["value"] = 0.1 * np.exp(rng.normal(0, 0.02, len(frame)))
        frame.to_csv(path, index=False, mode="a", header=start == 0)


def command(folder: Path, *words: str) -> tuple[Figure, str]:
    """Run a command of Tare; return its figures and its standard output."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = folder / "stdout"
    began = now_s()
    with out.open("w") as file:
        argv = [sys.executable, "-m", "bench", *words, "--results", "results"]
        child = subprocess.Popen(argv, cwd=folder, env=env, stdout=file)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall_s = now_s() - began
    assert child.returncode in ((0, 1, 5) if words[0] == "compare" else (0,)), out.read_text()
    figure: Figure = {
        "command": words[0],
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_s": round(wall_s, 2),
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    print(*(f"{key}={value}" for key, value in figure.items()), flush=True)
    return figure, out.read_text()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def keep(path: Path, figures: Sequence[Figure]) -> None:
    """Put figures into the file, in the place of those of the same rows."""
    host = f"{os.cpu_count()} CPUs, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, Linux {platform.release()}"
    about = {"date": f"{wall_time():%Y-%m-%d}", "host": host, "python": platform.python_version(), "tare": __version__}
    new = {str(one["rows"]) for one in figures}
    found = [one for one in (read(path) if path.exists() else []) if one["rows"] not in new]
    found += [{key: str(value) for key, value in {**one, **about}.items()} for one in figures]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(found[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(found, key=lambda one: (int(one["rows"]), COMMANDS.index(one["command"]))))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw(figures: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw CPU time and peak memory over rows, both axes logarithmic, and what growth in proportion to the rows is."""
    with canvas.sheet(3.4) as sheet:
        sheet.patch.set_facecolor(theme.SURFACE)
        axes = sheet.subplots(1, 2)
        for ax, column, unit, title in (
            (axes[0], "cpu_s", 1.0, "CPU time, s"),
            (axes[1], "peak_bytes", 1e6, "peak memory of the process, MB"),
        ):
            for name in COMMANDS:
                points = [(int(one["rows"]), float(one[column]) / unit) for one in figures if one["command"] == name]
                ax.plot(
                    *zip(*points, strict=True),
                    color=COLOURS[name],
                    marker=MARKS[name],
                    markersize=4,
                    linewidth=1.2,
                    label=name,
                )
            ends = [min(int(one["rows"]) for one in figures), max(int(one["rows"]) for one in figures)]
            top = max(float(one[column]) / unit for one in figures)
            slope = [top * rows / ends[1] for rows in ends]
            ax.plot(ends, slope, color=theme.MUTED, linewidth=0.8, linestyle=":", label="in proportion to the rows")
            ax.set(xscale="log", yscale="log", xlabel="measurements", title=title)
            ax.set_ylim(bottom=min(float(one[column]) / unit for one in figures) / 1.5)
            ax.grid(visible=True)
        axes[0].legend(loc="upper left")
        sheet.tight_layout()
        for suffix in (".svg", ".png"):
            sheet.savefig(path.with_suffix(suffix), dpi=150, metadata={"Date": None} if suffix == ".svg" else None)


if __name__ == "__main__":
    main()
