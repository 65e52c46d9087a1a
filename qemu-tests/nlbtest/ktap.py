# SPDX-License-Identifier: GPL-2.0-only
"""Results as KTAP lines, and their sum."""

import dataclasses
import re

_RESULT = re.compile(r"^(ok|not ok) (\d+)\s*(.*)$")
_PLAN = re.compile(r"^1\.\.(\d+)$")


@dataclasses.dataclass
class Results:
    """The results of one scenario."""

    passed: list[str] = dataclasses.field(default_factory=list)
    failed: list[str] = dataclasses.field(default_factory=list)
    planned: int | None = None

    def settle(self) -> None:
        """A scenario that did not get to its plan line has failed."""
        seen = len(self.passed) + len(self.failed)
        if self.planned is None:
            self.failed.append("did not come to its end")
        elif self.planned != seen:
            self.failed.append(f"planned {self.planned} results, gave {seen}")
        elif seen == 0:
            self.failed.append("checked nothing")


def parse(text: str) -> Results:
    """The results in the KTAP text of one scenario."""
    results = Results()
    for line in text.splitlines():
        line = line.strip()
        if match := _RESULT.match(line):
            (results.passed if match[1] == "ok" else results.failed).append(match[3])
        elif match := _PLAN.match(line):
            results.planned = int(match[1])
    return results
