#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""check-site.py DIR: links from page to page of a site lead somewhere, and so do those to places in pages.

Prints the links that do not, a line each, and fails if there are any.
"""

import html.parser
import pathlib
import sys
import urllib.parse

# Pages that mdBook makes of all others, or shows at any address.
MADE = ("print.html", "404.html", "toc.html")


class Page(html.parser.HTMLParser):
    """The places of a page, and its links."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.ids: set[str | None] = set()
        self.links: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.add(attributes.get("id"))
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])


def broken(root: pathlib.Path) -> list[str]:
    """The links that lead nowhere."""
    pages = {path: Page(path) for path in root.rglob("*.html") if path.name not in MADE}
    lines = []
    for path, page in sorted(pages.items()):
        for link in sorted(page.links):
            url = urllib.parse.urlsplit(link)
            if url.scheme:
                continue
            to = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
            lost = url.fragment and to in pages and urllib.parse.unquote(url.fragment) not in pages[to].ids
            if not to.exists() or lost:
                lines.append(f"{path.relative_to(root)}: {link} leads nowhere")
    return lines


def main() -> int:
    lines = broken(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(lines), file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
