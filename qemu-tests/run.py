# SPDX-License-Identifier: GPL-2.0-only
"""Run scenarios in guests: qemu-tests/run [--list] [PATTERN…]

Patterns select scenarios by name: "cluster" runs those with it in their name,
"cluster-*" those whose whole name matches. Logs are left in build/test/. The
last line is "N passed, N failed"; the exit code is 0 if nothing failed.
"""

import argparse
import sys

sys.dont_write_bytecode = True

from nlbtest import debugkernel, programs, runner, scenario  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="qemu-tests/run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the scenarios, run none")
    args = parser.parse_args()
    chosen = scenario.discover(args.patterns)
    if args.needs:
        print("\n".join(sorted({script for one in chosen for script in one.needs})))
        return 0
    if args.list:
        for one in chosen:
            print(f"{one.name:24} {one.title}")
        return 0
    if not chosen:
        print(f"no scenario matches {' '.join(args.patterns)}: see qemu-tests/run --list", file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    # The segment's own scenario needs neither the module nor nlbadm.
    with_nlb = any(not one.name.startswith("lab-") for one in chosen)
    try:
        built = programs.build("tests" if with_nlb else "segment")
    except programs.BuildError as error:
        print(error, file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    left_out = [one.name for one in chosen if not debugkernel.suits(one, built.release)]
    chosen = [one for one in chosen if debugkernel.suits(one, built.release)]
    if left_out:
        print(f"not on {built.release}: {' '.join(left_out)}", flush=True)
    if not chosen:
        print("0 passed, 1 failed")
        return 1
    with runner.alone():
        total = runner.run(chosen, built)
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
