"""Entry point of ``python -m bench`` and of the ``tare`` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    # gRPC's fork handlers print messages; they are not needed, because bench.core.proc never forks.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from bench.cli import run  # noqa: PLC0415 - the variable must be set first

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
