#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks into the machine code of the module: check-object.py [OPTION…] MODULE…

MODULE is build/module/RELEASE/nlb.ko: the Rust crate and the helpers in C, linked
but not loaded. What the source cannot show is read off the machine code:

names    Each entry point, by which the kernel comes into the module, reaches only
         what the allow-list names for it: functions and variables of the kernel,
         calls by address, traps. A panic in the kernel is a dead machine; none is
         on the list, whatever it is called. The functions of the kernel's own Rust
         crates are looked into in turn, as they were compiled for this kernel, unless
         the list names them.
entries  Each function that the source declares for the kernel to call, that stands
         in a table that the kernel reads, or whose address the C helpers take, is an
         entry of the list.
stack    No function takes more stack than the list says for the entry point that
         reaches it: an interrupt adds to what is in use. What the calls below each
         entry add up to is printed.

What an entry point reaches are the functions that it calls, those whose address it
takes, and those in the tables that it refers to; but another entry point whose
address it takes is handed to the kernel, and is looked at for itself. A call by
address (INDIRECT in objcheck/code.py) is allowed by name of the function that makes
it, so that nothing is called which was not seen.

  --rules FILE    the allow-list (scripts/allowed-symbols)
  --sources DIR   the crate's sources (module); "" for none
  --kernel DIR    the kernel's build directory, of which rust/*.o are looked into

Offenders go to standard output; the exit code is 0 if there are none.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

from objcheck import check, code, rules  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    parser.add_argument("--rules", default=str(ROOT / "scripts" / "allowed-symbols"), help=argparse.SUPPRESS)
    parser.add_argument("--sources", default=str(ROOT / "module"), help=argparse.SUPPRESS)
    parser.add_argument("--kernel", help=argparse.SUPPRESS)
    parser.add_argument("modules", nargs="+", metavar="MODULE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    kernel = check.Kernel(list(check.rust_objects(pathlib.Path(args.kernel))) if args.kernel else [])
    found = []
    for path in args.modules:
        one = check.Check(code.Code(path), rules.read(args.rules), kernel)
        one.run(pathlib.Path(args.sources) if args.sources else None)
        found += one.found
        print("\n".join(one.notes), file=sys.stderr)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
