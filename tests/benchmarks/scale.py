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
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

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

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Figure = Mapping[str, str | int | float]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("rows", type=int, nargs="*")
    options.add_argument("--folder", type=Path, help="where files and runs are for that time; 1.2 GB for 10⁶ rows")
    given = options.parse_args()
    for rows in given.rows:
        folder = Path(tempfile.mkdtemp(prefix="scale-", dir=given.folder))
        try:
            for figure in measured(folder, rows):
                keep(FIGURES, figure)
        finally:
            shutil.rmtree(folder)
    draw(read(FIGURES), CHART)


def measured(folder: Path, rows: int) -> Iterator[Figure]:
    """Yield the figures of each command; the import is that of the first file."""
    first, figure = imported(folder, rows, 1)
    yield {"rows": rows, **figure, "written_bytes": size(folder / "results" / first)}
    for words in (("show", first), ("report", first, "-o", "page")):
        figure, _ = command(folder, *words)
        yield {"rows": rows, **figure, "written_bytes": size(folder / "page") if words[0] == "report" else 0}
    second, _ = imported(folder, rows, 2)
    figure, _ = command(folder, "compare", first, second)
    yield {"rows": rows, **figure, "written_bytes": 0}


def imported(folder: Path, rows: int, seed: int) -> tuple[str, Figure]:
    """Import a file of so many rows; return the run's id and the figures."""
    path = folder / f"{seed}.csv"
    write(path, rows, seed)
    figure, said = command(folder, "import", str(path), "--format", "csv")
    path.unlink()
    return said.split()[-1], figure


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


def keep(path: Path, figure: Figure) -> None:
    """Put the figures of a command into the file, in the place of those that it had of as many rows."""
    host = f"{os.cpu_count()} CPUs, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, Linux {platform.release()}"
    about = {"date": f"{wall_time():%Y-%m-%d}", "host": host, "python": platform.python_version(), "tare": __version__}
    new = {key: str(value) for key, value in {**figure, **about}.items()}
    old = read(path) if path.exists() else []
    found = [one for one in old if (one["rows"], one["command"]) != (new["rows"], new["command"])] + [new]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(new), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(found, key=lambda one: (int(one["rows"]), COMMANDS.index(one["command"]))))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw(figures: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw CPU time and peak memory over rows, both axes logarithmic, and what growth in proportion to the rows is."""
    with canvas.sheet(3.6) as sheet:
        sheet.patch.set_facecolor(theme.SURFACE)
        axes = sheet.subplots(1, 2)
        panel(axes[0], figures, "cpu_s", 1.0, "CPU time, s")
        panel(axes[1], figures, "peak_bytes", 1e6, "peak memory of the process, MB")
        sheet.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=len(COMMANDS) + 1)
        sheet.tight_layout(rect=(0, 0.07, 1, 1))
        for suffix in (".svg", ".png"):
            sheet.savefig(path.with_suffix(suffix), dpi=150, metadata={"Date": None} if suffix == ".svg" else None)


def panel(ax: Axes, figures: Sequence[Mapping[str, str]], column: str, unit: float, title: str) -> None:
    values = {(one["command"], int(one["rows"])): float(one[column]) / unit for one in figures}
    rows = sorted({size for _, size in values})
    for name in COMMANDS:
        points = [(size, values[name, size]) for size in rows if (name, size) in values]
        look: dict[str, Any] = {
            "color": COLOURS[name],
            "marker": MARKS[name],
            "markersize": 4,
            "linewidth": 1.2,
            "label": name,
        }
        ax.plot([x for x, _ in points], [y for _, y in points], **look)
    low, high = min(values.values()) / 1.6, max(values.values()) * 1.6
    dotted: dict[str, Any] = {"color": theme.MUTED, "linewidth": 0.8, "linestyle": ":"}
    ax.plot([rows[0], rows[-1]], [high / 1.6 * rows[0] / rows[-1], high / 1.6], label="in proportion", **dotted)
    ax.set(xscale="log", yscale="log", xlabel="measurements", ylim=(low, high))
    ax.set_title(title, fontsize=canvas.TEXT_PT)
    ax.set_xticks(rows, labels=[f"10{str(round(np.log10(size))).translate(RAISED)}" for size in rows])
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high / low < 300 else (1.0,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.grid(visible=True)


if __name__ == "__main__":
    main()
