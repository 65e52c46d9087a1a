# SPDX-License-Identifier: GPL-2.0-only
"""Where things are: the checkout, the cache, and what a run leaves."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "qemu-tests"
BUILD = ROOT / "build"
CACHE = pathlib.Path(
    os.environ.get("NLB_CACHE") or pathlib.Path.home() / ".cache" / "nlb"
).absolute()
# What the tests leave: logs, consoles, captures. One run at a time uses it.
LOGS = pathlib.Path(os.environ.get("NLB_TEST_DIR") or BUILD / "test").absolute()


def kernel(release: str) -> pathlib.Path:
    """The cached stock kernel of a release."""
    return CACHE / "kernels" / release
