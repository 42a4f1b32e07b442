"""The command line: arguments → one call → exit code. The only package that prints.

Each command is imported when it is called, so that ``tare --help`` takes little longer than starting Python.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import click

from bench import __version__
from bench.cli import plain
from bench.core.errors import TareError, TargetUnavailable

_COMMANDS: dict[str, tuple[str, str]] = {
    "doctor": ("bench.cli.host", "Try every target; say which ones work here and how to fix the others."),
    "provision": ("bench.cli.host", "Install and configure engines with Ansible; a second run changes nothing."),
    "list": ("bench.cli.info", "List targets, scenarios, suites, metrics or runs."),
    "plan": ("bench.cli.measure", "Print the seeded list of invocations without running anything."),
    "run": ("bench.cli.measure", "Measure scenarios or suites."),
    "show": ("bench.cli.read", "Print a summary of a run on one screen, or its tables."),
    "report": ("bench.cli.read", "Write the report (HTML, SVG, Markdown, CSV) and print its path."),
    "compare": ("bench.cli.compare", "Compare two runs, or two targets of one run, series by series."),
    "nightly": ("bench.cli.nightly", "Run a suite and compare it with this host's baseline."),
    "ack": ("bench.cli.nightly", "Acknowledge a known regression: no alarm until a given day."),
    "tag": ("bench.cli.nightly", "Tag a run; baseline=main makes it the baseline."),
    "trend": ("bench.cli.trend", "Find lasting changes in this host's history."),
    "claims": ("bench.cli.claims", "Say which claims about isolation a run supports or contradicts."),
    "site": ("bench.cli.site", "Build a static site over a results folder."),
    "export": ("bench.cli.export", "Write a run, or many runs as a dataset, in the format of other tools."),
    "import": ("bench.cli.bring", "Turn another tool's results into a run."),
    "fleet": ("bench.cli.fleet", "Measure on many hosts and collect the runs."),
    "sweep": ("bench.cli.host", "Remove what killed runs left behind, and nothing else."),
    "schema": ("bench.cli.info", "Print the JSON Schema of scenario and claims files, and of show --json."),
    "completion": ("bench.cli.info", "Print a shell's completion script."),
}
"""Command → (module, short help); listing the commands imports none of the modules."""


class _Lazy(click.Group):
    """The group of commands; a command's module is imported when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; ``None`` for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            UsageError: There is none; the message names a similar one.
        """
        from bench.core.errors import UsageError, unknown  # noqa: PLC0415

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise UsageError(unknown("command", args[0], _COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tare")
def tare() -> None:
    """Measure what isolation costs on this host.

    Virtual machines, Docker, containerd, OCI runtimes, namespaces and the bare host, with one program, one clock and
    one definition of ready, interleaved, with proof of what ran and with confidence intervals.

    \b
    First steps:
      tare doctor            what can run here
      tare run quick         measure a small version of everything
      tare show              what was found, on one screen
      tare report latest     write the report and print its path

    Exit codes: 0 done, 1 regression, 2 bad usage or input, 3 target unavailable, 4 some invocations failed, 5 too noisy
    to decide, 70 our fault, 130 interrupted.
    """  # noqa: D301 - click reads the character; a raw string would print it


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run one command line and return its exit code; every error is one sentence on standard error."""
    _accept_any_text(sys.stdout, sys.stderr)
    try:
        result = tare.main(args=list(arguments), prog_name="tare", standalone_mode=False)
        sys.stdout.flush()  # raise BrokenPipeError here, not at exit
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort as error:
        return _complain(str(error.__cause__ or error.__context__ or "") or "interrupted", 130)
    except click.ClickException as error:
        return _complain(f"{error.format_message()} (see 'tare --help')", 2)
    except TargetUnavailable as error:
        remedy = f"\n      {error.remedy}" if error.remedy else ""
        return _complain(f"{error.reason}{remedy}", error.exit_code)
    except TareError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt as stop:
        return _complain(f"interrupted ({stop or 'Ctrl-C'})", 130)
    except (BrokenPipeError, SystemExit):  # the reader closed the pipe, which is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001 - a bug of ours: the user gets a sentence, the trace goes to a file
        return _unexpected(error)


def _accept_any_text(*streams: TextIO) -> None:
    """Make streams of an encoding that lacks a character write a plain one or its escape instead of failing."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors=plain.NAME)


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the flush at exit would fail again
        return _complain(f"cannot write the output: {error.strerror}; free space, or write it somewhere else", 4)
    return _complain(f"this is a fault in Tare; please report it with the file {_keep_trace()}", 70)


def _complain(sentence: str, code: int) -> int:
    click.echo(f"{click.style('tare:', fg='red', bold=True)} {sentence}", err=True)
    return code


def _keep_trace() -> Path:
    import tempfile  # noqa: PLC0415

    with tempfile.NamedTemporaryFile(
        "w", prefix="tare-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(f"tare {__version__}: {' '.join(sys.argv)}\n")
        traceback.print_exc(file=file)
    return Path(file.name)
