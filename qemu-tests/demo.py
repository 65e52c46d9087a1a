# SPDX-License-Identifier: GPL-2.0-only
"""Show a cluster of three guests at work: members, split, a power cut, a return."""

import signal
import sys

sys.dont_write_bytecode = True

from nlbtest import demo, programs  # noqa: E402


def interrupted(_signal, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A polite kill cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        sys.exit(demo.main(programs.build()))
    except programs.BuildError as error:
        print(f"demo: FAILED: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
