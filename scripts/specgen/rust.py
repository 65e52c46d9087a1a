# SPDX-License-Identifier: GPL-2.0-only
"""What the generated Rust files have in common: names, comments, formatting."""

import subprocess
import textwrap

# Comments are as wide as those of people.
WIDTH = 118

HEAD = """\
// SPDX-License-Identifier: GPL-2.0-only
// Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit.

"""


def constant(name: str) -> str:
    """The name of a constant: host-id → HOST_ID."""
    return name.upper().replace("-", "_")


def camel(name: str) -> str:
    """The name of a type or a variant: host-id → HostId. `self` is a keyword."""
    if name == "self":
        return "This"
    return "".join(part.capitalize() for part in name.split("-"))


def snake(name: str) -> str:
    """The name of a field or a function: host-id → host_id."""
    if name == "self":
        return "this"
    return name.replace("-", "_")


def doc(text: str, indent: int = 0, mark: str = "///") -> str:
    """A documentation comment."""
    start = " " * indent + mark + " "
    return "".join(
        start + line + "\n" for line in textwrap.wrap(text, WIDTH - len(start), break_on_hyphens=False)
    )


def formatted(text: str, edition: str) -> str:
    """The text, formatted by rustfmt."""
    done = subprocess.run(
        ["rustfmt", "--edition", edition, "--emit", "stdout"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
