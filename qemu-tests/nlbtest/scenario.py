# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: small bash files that say in their head what they need."""

import dataclasses
import fnmatch
import os
import pathlib
import re

from . import paths

_FIELD = re.compile(r"^# (title|topology|system|hosts|clock|timeout|long-timeout|cpus|pace|kernel|form|packages): (.+)$")

# "guests": three guests with our own initial file system; "systemd": guests that are
# ordinary Debian systems (nlbtest/system.py).
TOPOLOGIES = ("one-guest", "guests", "systemd")
# "any": counted where that is affordable, which is on the stock kernel: then a
# busy machine cannot starve a guest of its heartbeats.
CLOCKS = ("any", "real", "counted")
KERNELS = ("any", "debug")
# "long": for LONG=1 only, or when it is asked for by its name.
FORMS = ("any", "long")
# The kernel that such a scenario has beside the newest one.
OTHER_KERNEL = "7.2"
PACKAGES = ("none", "debian", "upgrade")
# A story is this file in a directory of its own, with the files that its recipe shows.
STORY = "story.sh"
# What stories have unless their head says otherwise.
STORY_FIELDS = {"topology": "systemd", "system": "servers", "packages": "debian", "form": "long"}


class HeadError(Exception):
    """A scenario whose head is wrong."""


@dataclasses.dataclass
class Scenario:
    """One scenario file."""

    path: pathlib.Path
    title: str
    topology: str = "one-guest"
    # For "systemd": the variant of scripts/setup-system.sh, and the number of hosts.
    system: str = "networkd"
    hosts: int = 2
    clock: str = "any"
    # Seconds after which it counts as hung; generous, for busy machines.
    timeout: int = 300
    # Run in a guest of its own kind when it needs more than one processor.
    cpus: int = 1
    # Nanoseconds that an instruction takes where they are counted, a power of
    # two: a slower machine is under the same load with fewer of them.
    pace: int = 1
    # "debug": needs what only the debug kernel has.
    kernel: str = "any"
    form: str = "any"
    # "debian": it installs Debian packages of the checkout (scripts/build-deb.sh). "upgrade": also those of the next
    # version, and another kernel with its module.
    packages: str = "none"

    @property
    def needs(self) -> list[str]:
        """Scripts, each with its argument, that make what it needs beside the programs."""
        needs = []
        if self.topology == "systemd":
            needs.append(f"setup-system.sh {self.system}")
        if self.packages == "debian":
            needs.append("build-deb.sh")
        if self.packages == "upgrade":
            needs += [f"build-deb.sh {OTHER_KERNEL}", "build-next-deb.sh", f"fetch-image.sh {OTHER_KERNEL}"]
        return needs

    @property
    def name(self) -> str:
        """The file's name without its ending; of a story, that of its directory."""
        return self.path.parent.name if self.is_story else self.path.stem

    @property
    def is_story(self) -> bool:
        """Whether it is one of those that people read and run (qemu-tests/stories)."""
        return self.path.name == STORY

    @property
    def has_lab(self) -> bool:
        """Whether it runs in several guests, which it has for itself."""
        return self.topology != "one-guest"

    def counted(self, debug_kernel: bool) -> bool:
        """Whether it runs under a counted clock on such a kernel."""
        return self.topology == "one-guest" and self.clock != "real" and not debug_kernel

    def kind(self, debug_kernel: bool) -> tuple[str, bool, int, int]:
        """Scenarios of one kind share a guest; those with a lab take turns."""
        return ("lab" if self.has_lab else "guest", self.counted(debug_kernel), self.cpus, self.pace)


def load(path: pathlib.Path) -> Scenario:
    """Read a scenario's head."""
    fields = dict(STORY_FIELDS) if path.name == STORY else {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if match := _FIELD.match(line):
            fields[match[1]] = match[2].strip()
    if "title" not in fields:
        raise HeadError(f"{path}: no line '# title: …' in its head")
    for key in ("hosts", "timeout", "long-timeout", "cpus", "pace"):
        if key in fields:
            fields[key] = int(fields[key])
    # The time that the long form takes, where there is one and it is asked for.
    longer = fields.pop("long-timeout", None)
    if longer and os.environ.get("LONG"):
        fields["timeout"] = longer
    scenario = Scenario(path, **fields)
    for value, known in (
        (scenario.topology, TOPOLOGIES),
        (scenario.clock, CLOCKS),
        (scenario.kernel, KERNELS),
        (scenario.form, FORMS),
        (scenario.packages, PACKAGES),
    ):
        if value not in known:
            raise HeadError(f"{path}: {value} is none of {', '.join(known)}")
    if scenario.pace.bit_count() != 1:
        raise HeadError(f"{path}: a pace of {scenario.pace} is no power of two")
    return scenario


def stories() -> list[Scenario]:
    """All stories."""
    return [load(path) for path in sorted((paths.TESTS / "stories").glob(f"*/{STORY}"))]


def discover(patterns: list[str]) -> list[Scenario]:
    """All scenarios whose name holds one of the patterns; all if there are none.

    A pattern with wildcards must match the whole name. Scenarios that are long altogether are left out unless LONG
    is set, or a pattern is the name of one, or finds none but such.
    """
    found = [load(path) for path in sorted((paths.TESTS / "scenarios").glob("*.sh"))] + stories()
    # Long stories have a front door of their own (qemu-tests/story).
    short = [one for one in found if one.form != "long" or (not one.is_story and os.environ.get("LONG"))]
    if not patterns:
        return short
    names = set()
    for pattern in patterns:
        matching = [one for one in found if fnmatch.fnmatchcase(one.name, pattern) or pattern in one.name]
        names |= {one.name for one in matching if one in short or one.name == pattern}
        if not any(one in short for one in matching):
            names |= {one.name for one in matching}
    return [one for one in found if one.name in names]
