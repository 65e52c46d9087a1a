# SPDX-License-Identifier: GPL-2.0-only
"""Builds what goes into guests, by the same scripts that people use."""

import dataclasses
import pathlib
import subprocess

from . import paths


class BuildError(Exception):
    """A build that failed; its own output says why."""


@dataclasses.dataclass
class Programs:
    """A kernel release and the files for its guests, by name below /nlb."""

    release: str
    files: dict[str, pathlib.Path]


def build(what: str = "lab") -> Programs:
    """Set up and build what a run needs (scripts/prepare.sh); what is done already costs a second."""
    done = subprocess.run(["scripts/prepare.sh", what], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildError("what guests need could not be prepared: see above")
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    release = found.pop("release")
    return Programs(release, {name: pathlib.Path(path) for name, path in found.items()})
