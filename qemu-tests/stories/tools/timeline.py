# SPDX-License-Identifier: GPL-2.0-only
"""A timeline of requests (load.py --list): answers by host, slow ones and failures by cause,
for each step of time, by the start of the request; and what happened meanwhile.
"""

import argparse
import collections
import pathlib
import sys

# A connection that takes longer than this needed its SYN sent again.
SLOW_MS = 900


def read(path: pathlib.Path) -> list[tuple[int, str, str, int | None]]:
    """Start, source, outcome, connect time of each request, by start."""
    rows = []
    for line in path.read_text().splitlines():
        start, source, outcome, connect, _ = line.split()
        rows.append((int(start), source, outcome, None if connect == "-" else int(connect)))
    return sorted(rows, key=lambda row: row[0])


def read_events(path: pathlib.Path, since: int, until: int) -> list[tuple[int, str]]:
    """Times and texts of what happened in a span."""
    lines = (line.split(" ", 1) for line in path.read_text().splitlines()) if path.exists() else []
    return [(int(time), text) for time, text in lines if since <= int(time) <= until]


class Steps:
    """Requests by step."""

    def __init__(self, rows: list, step: int):
        self.step = step
        self.zero = rows[0][0]
        self.last = (rows[-1][0] - self.zero) // step
        self.counts = [collections.Counter() for _ in range(self.last + 1)]
        for start, _, outcome, connect in rows:
            count = self.counts[(start - self.zero) // step]
            count[outcome] += 1
            if outcome.isdigit() and connect is not None and connect >= SLOW_MS:
                count["slow"] += 1
        names = set().union(*self.counts)
        self.hosts = sorted((name for name in names if name.isdigit()), key=int)
        self.causes = sorted(name for name in names if not name.isdigit() and name != "slow")

    def of(self, time: int) -> int:
        """The step in which something happened."""
        return min((time - self.zero) // self.step, self.last)


def table(steps: Steps, events: list[tuple[int, str]]) -> list[str]:
    """The lines of the timeline. Steps between events that are alike but for small numbers are kept."""
    heads = [f"host {host}" for host in steps.hosts] + ["slow", "failed"]
    lines = ["     s  " + "".join(f"{head:>8}" for head in heads) + "  why"]
    for number, count in enumerate(steps.counts):
        for time, text in events:
            if steps.of(time) == number:
                lines.append(f"{(time - steps.zero) / 1000:6.1f}  -- {text}")
        failed = sum(count[cause] for cause in steps.causes)
        cells = [count[host] for host in steps.hosts] + [count["slow"], failed]
        why = ", ".join(f"{count[cause]} {cause}" for cause in steps.causes if count[cause])
        row = f"{number * steps.step / 1000:6.0f}  " + "".join(f"{cell or '.':>8}" for cell in cells)
        lines.append(f"{row}  {why}".rstrip())
    return lines


COLOURS = ["#4878a8", "#e0a030", "#58a868", "#9868a8", "#a87858", "#68a8a8", "#b8b848", "#888888"]


def picture(steps: Steps, events: list[tuple[int, str]]) -> str:
    """The same as an SVG picture: a bar for each step, failures in red."""
    width, height, left, top = 12, 160, 40, 20 + 14 * len(events)
    most = max(sum(count[name] for name in steps.hosts + steps.causes) for count in steps.counts)
    whole = (left + width * len(steps.counts) + 120, top + height + 40)
    parts = [
        "<!-- SPDX-License-Identifier: GPL-2.0-only -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole[0]}" height="{whole[1]}" font-family="sans-serif" font-size="11">',
        f'<rect width="{whole[0]}" height="{whole[1]}" fill="white"/>',
    ]
    kinds = [(host, f"host {host}", COLOURS[n % len(COLOURS)]) for n, host in enumerate(steps.hosts)]
    kinds += [(cause, cause, "#c02020") for cause in steps.causes]
    for number, count in enumerate(steps.counts):
        y = top + height
        for name, _, colour in kinds:
            tall = height * count[name] / most
            y -= tall
            if tall:
                parts.append(f'<rect x="{left + number * width}" y="{y:.1f}" width="{width - 1}" height="{tall:.1f}" fill="{colour}"/>')
    for number, (time, text) in enumerate(events):
        x = left + (time - steps.zero) / steps.step * width
        y = 14 + 14 * number
        parts.append(f'<line x1="{x:.0f}" y1="{y + 2}" x2="{x:.0f}" y2="{top + height}" stroke="black" stroke-dasharray="3 3"/>')
        parts.append(f'<text x="{x + 3:.0f}" y="{y}">{text}</text>')
    for number in range(0, len(steps.counts), 5):
        parts.append(f'<text x="{left + number * width}" y="{top + height + 14}">{number * steps.step // 1000}</text>')
    parts.append(f'<text x="{left}" y="{top + height + 30}">seconds; requests by their start</text>')
    for number, (_, label, colour) in enumerate(kinds):
        x, y = whole[0] - 105, top + 14 * number
        parts.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/><text x="{x + 14}" y="{y + 9}">{label}</text>')
    return "\n".join(parts + ["</svg>", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--events", type=pathlib.Path, default=pathlib.Path("/dev/null"))
    parser.add_argument("--step-ms", type=int, default=1000)
    parser.add_argument("--svg", type=pathlib.Path)
    args = parser.parse_args()
    rows = read(args.list)
    if not rows:
        print("there was no request", file=sys.stderr)
        return 1
    steps = Steps(rows, args.step_ms)
    events = read_events(args.events, rows[0][0] - args.step_ms, rows[-1][0] + args.step_ms)
    print("\n".join(table(steps, events)))
    if args.svg:
        args.svg.write_text(picture(steps, events))
    return 0


if __name__ == "__main__":
    sys.exit(main())
