# SPDX-License-Identifier: GPL-2.0-only
"""Pages of docs/recipes, and what of them comes from stories.

A comment in a page says what the block of text after it is:
  <!-- file: qemu-tests/stories/NAME/FILE -->   that file, less its licence line
  <!-- told: NAME -->                           what the story printed when it was last kept
"""

import pathlib
import re

from . import paths

PAGES = paths.ROOT / "docs" / "recipes"
_BLOCK = re.compile(r"<!-- (file|told): (\S+) -->\n```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LICENCE = re.compile(r"\A(?P<php><\?php )?(?:#|//|--|;) SPDX-License-Identifier.*\n(?:#\n)?")


def shown(file: pathlib.Path) -> str:
    """What a page shows of a file."""
    return _LICENCE.sub(lambda match: "<?php\n" if match["php"] else "", file.read_text())


def current(text: str) -> str:
    """A page with its files as they are."""

    def block(match: re.Match) -> str:
        kind, name, language, old = match.groups()
        new = shown(paths.ROOT / name) if kind == "file" else old
        return f"<!-- {kind}: {name} -->\n```{language}\n{new}```"

    return _BLOCK.sub(block, text)


def files(text: str) -> set[str]:
    """The files that a page shows."""
    return {match[2] for match in _BLOCK.finditer(text) if match[1] == "file"}


def told(text: str, name: str) -> str:
    """What a page has of a run of its story."""
    return next((match[4] for match in _BLOCK.finditer(text) if match[1] == "told" and match[2] == name), "")


def keep(name: str, told: str, run: pathlib.Path) -> None:
    """Put what a story printed into its page, and its picture, if it made one in its directory, beside it."""
    if (picture := run / f"{name}.svg").exists():
        (PAGES / picture.name).write_bytes(picture.read_bytes())
    page = PAGES / f"{name}.md"
    marker = f"<!-- told: {name} -->\n```text\n"
    before, found, after = page.read_text().partition(marker)
    if not found:
        raise ValueError(f"{page} has no block for what the story prints: {marker}")
    page.write_text(before + marker + told + after[after.index("```") :])
