"""Program in the guest: it runs the request in the shared folder (``python -m bench.run.inside.guest FOLDER``)."""

from __future__ import annotations

import platform
import sys
import traceback
from pathlib import Path

from bench.core.errors import TareError, TargetUnavailable
from bench.run import session
from bench.run.inside import wire


def main(folder: Path) -> None:
    """Run the request; the last event always reports how it ended."""
    events = wire.EventWriter(folder)
    events.write("up", kernel=platform.release())
    try:
        result = session.run(wire.read_request(folder), events)
        events.write("end", run_id=result.run_id, measured=result.measured, failed=result.failed)
    except TargetUnavailable as error:
        events.write("error", text=error.reason, remedy=error.remedy, exit_code=error.exit_code)
    except TareError as error:
        events.write("error", text=str(error), remedy=None, exit_code=error.exit_code)
    except BaseException:  # report every failure to the host, which has no other way to learn of it
        events.write("error", text=traceback.format_exc(), remedy=None, exit_code=70)
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
