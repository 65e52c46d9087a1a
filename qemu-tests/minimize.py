# SPDX-License-Identifier: GPL-2.0-only
"""Make a sequence of device events that fails as short as it can be, and keep it.

The scenario lifetimes-model tells the seed of a run that failed. Each trial is
the same sequence in a fresh guest, with some steps left out; what fails in the
same way with fewer steps is looked at further. The last one is kept in
qemu-tests/sequences, whose files lifetimes-model replays first.
"""

import argparse
import sys

sys.dont_write_bytecode = True

from nlbtest import guest, minimizer, programs, runner  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="qemu-tests/minimize", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the run that failed")
    parser.add_argument("--events", type=int, default=1000, help="device events of the sequence (%(default)s)")
    parser.add_argument("--only", default="", help="steps to begin with, as 1-20,33 (all)")
    parser.add_argument(
        "--tries", type=int, default=1, help="runs of each trial: one that fails now and then needs several (%(default)s)"
    )
    parser.add_argument("--plant", default="", help="a mistake of tt's model to look for (tt model --help)")
    args = parser.parse_args()
    try:
        built = programs.build("tests")
        with runner.alone():
            kept = minimizer.minimize(
                built, minimizer.Sequence(args.seed, args.events, args.plant), args.only, args.tries
            )
    except (guest.GuestError, programs.BuildError, minimizer.NothingFails) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"kept: {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
