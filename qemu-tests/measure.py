# SPDX-License-Identifier: GPL-2.0-only
"""Measure what nlb costs, in a guest: qemu-tests/measure packet|cluster|scale

Under the counted clock of the emulator a nanosecond is an instruction. Tables
go to standard output, results also to build/bench*.json.
"""

import sys

sys.dont_write_bytecode = True

from nlbtest import bench, guest, programs  # noqa: E402

KINDS = {"packet": bench.packet, "cluster": bench.cluster, "scale": bench.scale}


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in KINDS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return KINDS[sys.argv[1]]()
    except (guest.GuestError, programs.BuildError, bench.BenchError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
