#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make, from module/specs/nlb.yaml, every file that depends on it.

generate.py           writes them
generate.py --check   prints what is not as the specification says, and fails if anything is printed

Runs in the Debian 13 tree (scripts/enter.sh), whose rustfmt formats the result.
"""

import pathlib
import sys

from specgen import core, kernel, page, privileges, userspace, wireshark
from specgen.spec import Spec, SpecError

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Each file with the function that writes it.
OUTPUTS = {
    "module/core/src/genl.rs": core.numbers,
    "module/netlink/policy.rs": kernel.policy,
    "module/netlink/sent.rs": kernel.sent,
    "userspace/nlb-netlink/src/generated.rs": userspace.types,
    "docs/netlink.md": page.reference,
    "dist/wireshark/nlb.lua": wireshark.dissector,
}


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        spec = Spec.load(ROOT / "module/specs/nlb.yaml")
    except SpecError as error:
        print(f"module/specs/nlb.yaml: {error}")
        return 1
    texts = {ROOT / name: write(spec) for name, write in OUTPUTS.items()}
    if not arguments:
        for path, text in texts.items():
            path.write_text(text)
        return 0
    wrong = [
        f"{path.relative_to(ROOT)} is not as module/specs/nlb.yaml says: run make generate"
        for path, text in texts.items()
        if not path.exists() or path.read_text() != text
    ]
    wrong += privileges.differences(spec, (ROOT / "docs/security.md").read_text())
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
