# SPDX-License-Identifier: GPL-2.0-only
"""The allow-list: what the functions that an entry point reaches may refer to.

    group NAME                   what follows are allowed names, up to the next "group" or "entry"
    entry FUNCTION [for TYPE] frame BYTES
                                 the same for what this entry point reaches; FUNCTION is "kapi::FILE::NAME", or a name of C,
                                 TYPE an argument that tells its instances apart; no function takes more stack than BYTES
    use GROUP…                   all names of groups
    NAME [in FUNCTION]           a name that the module does not define, wherever it stands; only in functions of that name

Names are demangled, without hashes; "*" stands for any text. After "#" comes a comment.
"""

import dataclasses
import fnmatch
import re

_ENTRY = re.compile(r"^entry (\S+)(?: for (\S+))? frame (\d+)$")
_RULE = re.compile(r"^(.*?)(?: in (.+))?$")


class RulesError(Exception):
    """An allow-list that cannot be read."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A name that is allowed."""

    name: str
    function: str | None = None

    def __str__(self):
        return f"{self.name} in {self.function}" if self.function else self.name


@dataclasses.dataclass
class Entry:
    """An entry point, and what it may reach."""

    function: str
    kind: str | None
    frame: int
    rules: list[Rule] = dataclasses.field(default_factory=list)
    used: set[Rule] = dataclasses.field(default_factory=set)

    def __post_init__(self):
        self._exact: dict[str, list[Rule]] | None = None
        self._patterns: list[Rule] = []

    def allows(self, name: str, function: str) -> bool:
        """Whether a function may refer to a name."""
        if self._exact is None:
            self._exact = {}
            for rule in self.rules:
                if "*" in rule.name:
                    self._patterns.append(rule)
                else:
                    self._exact.setdefault(rule.name, []).append(rule)
        rules = self._exact.get(name, []) + [it for it in self._patterns if _matches(it.name, name)]
        allowing = [it for it in rules if it.function is None or _matches(it.function, function)]
        self.used.update(allowing)
        return bool(allowing)

    @property
    def title(self) -> str:
        """As the list has it."""
        return f"{self.function} for {self.kind}" if self.kind else self.function

    def is_entry(self, plain: str) -> bool:
        """Whether a function of this demangled name is this entry point."""
        path, arguments = split(plain)
        if self.kind is not None and self.kind not in arguments:
            return False
        if "::" not in self.function:
            return path == self.function
        head, _, name = self.function.rpartition("::")
        return path.endswith(f"::{name}") and re.search(rf"\b{re.escape(head)}::", path) is not None


def split(plain: str) -> tuple[str, str]:
    """A demangled name without its last generic arguments, and all that stands in angle brackets in it."""
    path = plain
    while path.endswith(">"):
        depth = 0
        for at in range(len(path) - 1, -1, -1):
            if path[at] == ">" and path[at - 1] != "-":
                depth += 1
            elif path[at] == "<":
                depth -= 1
                if depth == 0:
                    break
        if not path[:at].endswith("::"):
            break
        path = path[: at - 2]
    return path, plain[plain.find("<") :] if "<" in plain else ""


def _matches(pattern: str, text: str) -> bool:
    # Brackets are part of names here.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def read(path: str) -> list[Entry]:
    """The entries of an allow-list."""
    groups: dict[str, list[Rule]] = {}
    entries: list[Entry] = []
    current: list[Rule] | None = None
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if line.startswith("group "):
            current = groups.setdefault(line.removeprefix("group "), [])
        elif match := _ENTRY.match(line):
            entries.append(Entry(match[1], match[2], int(match[3])))
            current = entries[-1].rules
        elif current is None or line.startswith("entry "):
            raise RulesError(f"{path}:{number}: {line}: not understood")
        elif line.startswith("use "):
            for name in line.split()[1:]:
                if name not in groups:
                    raise RulesError(f"{path}:{number}: there is no group {name} before this")
                current += groups[name]
        else:
            current.append(Rule(*_RULE.match(line).groups()))
    if not entries:
        raise RulesError(f"{path}: no entry is in it")
    return entries
