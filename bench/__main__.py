"""``python -m bench`` and the ``tare`` command: errors become one sentence and an exit code."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # gRPC's fork handlers print noise; nothing here forks (bench.core.proc spawns).
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from bench.cli import run  # noqa: PLC0415 - after the environment is set

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
