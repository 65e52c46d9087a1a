# SPDX-License-Identifier: GPL-2.0-only
"""Kernel complaints in a console log; any of them fails a run."""

import pathlib
import re

_SPLAT = re.compile(
    r"WARNING: |BUG: |Oops|kernel BUG at|KASAN: |UBSAN: |KFENCE|"
    r"Kernel panic|general protection fault|possible (recursive|circular) locking|"
    r"inconsistent lock state|suspicious RCU usage|sleeping function called|"
    r"unregister_netdevice: waiting|blocked for more than|soft lockup|"
    r"detected stalls|refcount_t: |kmemleak: \d+ new|ODEBUG: |list_(add|del) corruption|"
    r"memory leak|rust_kernel: panicked|bad unlock balance|held lock freed|"
    r"unknown symbol|disagrees about version|dst_release: |leaked reference"
)


def find(log: pathlib.Path) -> list[str]:
    """The lines of a console log that a kernel in good health never prints."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines() if _SPLAT.search(line)]
