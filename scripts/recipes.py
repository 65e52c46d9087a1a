#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make the blocks of docs/recipes that show files of stories.

recipes.py           writes them
recipes.py --check   prints what differs, or is missing, and fails if anything is printed
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "qemu-tests"))

from nlbtest import paths, recipe, scenario  # noqa: E402


def wrong() -> list[str]:
    """What pages and stories say differently."""
    found = []
    index = (recipe.PAGES / "README.md").read_text()
    names = {one.name for one in scenario.stories()}
    for page in sorted(recipe.PAGES.glob("*.md")):
        text = page.read_text()
        if recipe.current(text) != text:
            found.append(f"{page.relative_to(paths.ROOT)} does not show its story's files: run make generate")
        if page.name != "README.md" and page.stem not in names:
            found.append(f"{page.relative_to(paths.ROOT)} has no story")
    for one in scenario.stories():
        page = recipe.PAGES / f"{one.name}.md"
        if not page.exists():
            found.append(f"the story {one.name} has no page: docs/recipes/{one.name}.md")
            continue
        if f"({one.name}.md)" not in index:
            found.append(f"docs/recipes/README.md does not list {one.name}")
        if not recipe.told(page.read_text(), one.name):
            found.append(f"docs/recipes/{one.name}.md has nothing of a run: make scenario S={one.name} KEEP=1")
        shown = recipe.files(page.read_text())
        for file in sorted(one.path.parent.iterdir()):
            name = str(file.relative_to(paths.ROOT))
            if file.name != scenario.STORY and name not in shown:
                found.append(f"docs/recipes/{one.name}.md does not show {name}")
    return found


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments:
        for page in recipe.PAGES.glob("*.md"):
            text = page.read_text()
            if recipe.current(text) != text:
                page.write_text(recipe.current(text))
        return 0
    found = wrong()
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
