# SPDX-License-Identifier: GPL-2.0-only
"""What the entry points of an object file reach, held against the allow-list."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator

from .code import Code, Function, Place, Reference, demangled
from .rules import Entry

# The entries of the list that are no functions: what the kernel finds in tables, and what it puts in the place of code.
TABLES = "(tables)"
ALTERNATIVES = "(alternatives)"

# Loaded sections that tell the kernel about code; none of them makes it call a function.
_ABOUT_CODE = re.compile(
    r"^(__bug_table|__ex_table|__jump_table|__mcount_loc|__patchable_function_entries|__tracepoints.*|__dyndbg.*|__versions|"
    r"__version_ext_.*|\.(altinstructions|smp_locks|static_call_sites|call_sites|return_sites|retpoline_sites|"
    r"ibt_endbr_seal|cfi_sites|kcfi_traps|orc_.*|note.*|BTF.*|codetag.*|modinfo|printk_index|sframe))$"
)
# Loaded sections in which the kernel finds functions and variables by itself.
_TABLES = re.compile(r"^(\.gnu\.linkonce\.this_module|__param|\.init\.data|\.exit\.data|\.initcall.*)$")
# Data that is reached by functions that refer to it, or not at all.
_DATA = re.compile(r"^(\.data|\.rodata|\.bss)\b")

# How the source declares functions that the kernel may call.
_EXTERN = re.compile(r'\bextern "C" fn (\w+)')


@dataclasses.dataclass(frozen=True)
class Step:
    """A function of a file."""

    code: Code
    place: Place

    @property
    def function(self) -> Function:
        """The function itself."""
        return self.code.functions[self.place]


@dataclasses.dataclass(frozen=True)
class Mention:
    """A name that a function refers to, by an instruction or by a table (then without a place)."""

    step: Step
    name: str
    place: Reference | None


class Kernel:
    """The functions of the kernel's own Rust crates, as they were compiled for this kernel."""

    def __init__(self, files: list[str]):
        self._files = files

    @functools.cached_property
    def _defined(self) -> dict[str, Step]:
        found: dict[str, Step] = {}
        for file in self._files:
            code = Code(file)
            for place, function in code.functions.items():
                found.setdefault(function.name, Step(code, place))
        return found

    def find(self, name: str) -> Step | None:
        """Where a function of Rust is defined."""
        return self._defined.get(name) if name.startswith(("_R", "_ZN", "rust_")) else None


class Check:
    """The check of an object file."""

    def __init__(self, code: Code, entries: list[Entry], kernel: Kernel):
        self.code = code
        self.entries = entries
        self.kernel = kernel
        self.found: list[str] = []
        self.notes: list[str] = []
        # Entry points by place.
        self.roots: dict[Place, Entry] = {}
        self._plain: dict[str, str] = {}
        self._depths: dict[Place, int] = {}

    def run(self, sources: pathlib.Path | None) -> None:
        """Does it all. `sources`: where to look for functions that the kernel may call."""
        self._find_roots()
        if sources is not None:
            self._check_sources(sources)
        self._prepare()
        reached: set[Place] = set()
        for place, entry in sorted(self.roots.items(), key=lambda item: item[1].title):
            reached |= self._check_entry(place, entry)
        self._check_tables()
        self._check_alternatives()
        used = set().union(*(entry.used for entry in self.entries))
        unused = {str(rule) for entry in self.entries for rule in entry.rules if rule not in used}
        if unused:
            self.notes.append(f"allowed and not met with: {', '.join(sorted(unused))}")
        dead = len(self.code.functions.keys() - reached)
        self.notes.append(
            f"{self.code.path}: {len(self.code.functions)} functions, {dead} of which nothing reaches, "
            f"{len(self.roots)} entry points"
        )

    def _find_roots(self) -> None:
        for entry in self.entries:
            if entry.function in (TABLES, ALTERNATIVES):
                continue
            places = [place for place, it in self.code.functions.items() if entry.is_entry(it.plain)]
            if not places:
                self.found.append(f"the allow-list has the entry point {entry.title}, and the object has none of that name")
            for place in places:
                if place in self.roots:
                    plain = self.code.functions[place].plain
                    self.found.append(f"{plain} is two entries of the list, {entry.title} and {self.roots[place].title}")
                self.roots[place] = entry

    def _check_sources(self, sources: pathlib.Path) -> None:
        """Each function that the source declares for the kernel to call is an entry point, for each type it is made for."""
        listed = {entry.function for entry in self.entries}
        for file in sorted(sources.rglob("*.rs")):
            path = "::".join(file.relative_to(sources).with_suffix("").parts)
            for name in _EXTERN.findall(file.read_text(encoding="utf-8")):
                if f"{path}::{name}" not in listed:
                    self.found.append(f'{file.name}: extern "C" fn {name}: the allow-list has no entry {path}::{name}')
        for name in sorted(listed):
            anyone = Entry(name, None, 0)
            for place, function in self.code.functions.items():
                if place not in self.roots and "::" in name and anyone.is_entry(function.plain):
                    self.found.append(f"{function.plain}: the allow-list has {name}, but not for this type")

    def _prepare(self) -> None:
        """Demangles all names at once."""
        names = {it.name for function in self.code.functions.values() for it in function.names}
        self._plain = demangled(sorted(names | self.code.elf.undefined()))

    def _demangled(self, name: str) -> str:
        if name not in self._plain:
            self._plain.update(demangled([name]))
        return self._plain[name]

    def _mentions(self, step: Step) -> tuple[list[Mention], list[tuple[Step, bool]]]:
        """What a function refers to, tables included: names, and other functions, each with whether its address is taken."""
        names = [Mention(step, it.name, it) for it in step.function.names]
        functions = [(Step(step.code, it), it in step.function.taken) for it in step.function.functions]
        items, seen = list(step.function.data), set()
        while items:
            item = items.pop()
            if item in seen or _ABOUT_CODE.match(step.code.elf.sections[item[0]].name):
                continue
            seen.add(item)
            for relocation in step.code.item(*item):
                symbol = relocation.symbol
                if symbol.section is None:
                    names.append(Mention(step, symbol.name, None))
                    continue
                target = (symbol.section, symbol.value + relocation.addend)
                if not step.code.elf.sections[symbol.section].is_code:
                    items.append(target)
                elif (place := step.code.function_at(*target)) is not None:
                    functions.append((Step(step.code, place), True))
        return names, functions

    def _check_entry(self, place: Place, entry: Entry) -> set[Place]:
        """Reports what is not allowed in the functions below an entry point; those of the module that it came to."""
        came = self._reach(place)
        into_kernel: list[Mention] = []
        reported = set()
        for step in came:
            for mention in self._mentions(step)[0]:
                key = (step, mention.name)
                if key in reported or entry.allows(self._demangled(mention.name), step.function.plain):
                    continue
                reported.add(key)
                if self.kernel.find(mention.name) is None:
                    self.found.append(self._report(entry, mention, [], came))
                else:
                    into_kernel.append(mention)
        ends = self._look_into_kernel(entry, into_kernel)
        for mention in into_kernel:
            if (way := ends.get(self.kernel.find(mention.name))) is not None:
                self.found.append(self._report(entry, mention, way, came))
        for step in sorted(came, key=lambda it: it.function.plain):
            if step.function.frame > entry.frame:
                self.found.append(
                    f"{entry.title} reaches {shortened(step.function.plain)}, which takes {step.function.frame} bytes of "
                    f"stack, more than {entry.frame}"
                )
        self.notes.append(f"{self._depth(place):5} bytes of stack, {len(came):3} functions: {entry.title}")
        return {step.place for step in came}

    def _reach(self, place: Place) -> dict[Step, Step | None]:
        """The module's functions below an entry point, each with the one that it was reached from. Another entry point
        whose address is taken is handed to the kernel: that is no call."""
        start = Step(self.code, place)
        came: dict[Step, Step | None] = {start: None}
        todo = [start]
        while todo:
            step = todo.pop()
            for target, taken in self._mentions(step)[1]:
                if taken and target.place not in self.roots and _is_of_c(target.function):
                    self._refuse_callback(step, target)
                if target not in came and not (taken and target.place in self.roots):
                    came[target] = step
                    todo.append(target)
        return came

    def _look_into_kernel(self, entry: Entry, mentions: list[Mention]) -> dict[Step, list[str]]:
        """The functions of the kernel's Rust crates which are mentioned and come to something that is not allowed: each
        with the way there, the name of it last."""
        todo = [self.kernel.find(mention.name) for mention in mentions]
        seen = set(todo)
        callers: dict[Step, list[Step]] = {}
        ways: dict[Step, list[str]] = {}
        while todo:
            step = todo.pop()
            names, functions = self._mentions(step)
            targets = [target for target, _ in functions]
            for mention in names:
                plain = self._demangled(mention.name)
                if entry.allows(plain, step.function.plain):
                    continue
                if (target := self.kernel.find(mention.name)) is not None:
                    targets.append(target)
                elif step not in ways:
                    ways[step] = [step.function.plain, plain]
            for target in targets:
                callers.setdefault(target, []).append(step)
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        # The shortest ways first.
        todo = list(ways)
        for step in todo:
            for caller in callers.get(step, []):
                if caller not in ways:
                    ways[caller] = [caller.function.plain, *ways[step]]
                    todo.append(caller)
        return ways

    def _refuse_callback(self, step: Step, target: Step) -> None:
        """A function of C whose address is taken is one that the kernel may call, so it must be an entry point."""
        line = f"{shortened(step.function.plain)} takes the address of {target.function.plain}: the allow-list has no such entry"
        if line not in self.found:
            self.found.append(line)

    def _report(self, entry: Entry, mention: Mention, way: list[str], came) -> str:
        """What is wrong, where, and how it comes about: `way` leads through the kernel's crates."""
        where = "a table"
        if mention.place is not None:
            lines = mention.step.code.source(mention.place)
            where = ([it for it in lines if it.startswith("module/")] or lines or ["?"])[0]
        name = way[-1] if way else self._demangled(mention.name)
        by = f", by {' > '.join(shortened(it, 80) for it in way[:-1])}" if way else ""
        callers = []
        step = came[mention.step]
        while step is not None and len(callers) < 3:
            callers.append(shortened(step.function.plain, 80))
            step = came[step]
        below = f", below {' < '.join(callers)}" if callers else ""
        return f"{entry.title} reaches {name} in {shortened(mention.step.function.plain)}, {where}{by}{below}"

    def _depth(self, place: Place, above: tuple[Place, ...] = ()) -> int:
        """Bytes of stack that a function and what it calls take at most, without calls by address and into the kernel."""
        if place in above:
            return 0
        if place not in self._depths:
            function = self.code.functions[place]
            calls = function.functions - function.taken
            below = (self._depth(other, (*above, place)) for other in calls)
            self._depths[place] = function.frame + max(below, default=0)
        return self._depths[place]

    def _listed(self, title: str) -> Entry:
        entry = next((it for it in self.entries if it.function == title), None)
        return entry or Entry(title, None, 0)

    def _check_tables(self) -> None:
        """What the kernel finds in the module by itself: entry points, and variables of its own."""
        entry = self._listed(TABLES)
        for section in self.code.elf.sections:
            relocations = self.code.elf.relocations.get(section.index, [])
            if section.is_code or not section.is_loaded or not relocations:
                continue
            if _TABLES.match(section.name):
                for relocation in relocations:
                    self._check_in_table(entry, section.name, relocation)
            elif not _ABOUT_CODE.match(section.name) and not _DATA.match(section.name):
                self.found.append(f"nobody has said what the kernel does with the section {section.name}")

    def _check_in_table(self, entry: Entry, section: str, relocation) -> None:
        symbol = relocation.symbol
        if symbol.section is None:
            if not entry.allows(self._demangled(symbol.name), ""):
                self.found.append(f"{TABLES}: {self._demangled(symbol.name)} in {section}")
        elif self.code.elf.sections[symbol.section].is_code:
            place = self.code.function_at(symbol.section, symbol.value + relocation.addend)
            if place not in self.roots:
                plain = self.code.functions[place].plain if place else symbol.name
                self.found.append(f"{section} hands {plain} to the kernel, and the allow-list has no such entry")

    def _check_alternatives(self) -> None:
        """Code that is in no function: the kernel copies it over other code, on some processors."""
        entry = self._listed(ALTERNATIVES)
        for name in sorted(self.code.outside):
            if not entry.allows(self._demangled(name), ""):
                self.found.append(f"{ALTERNATIVES}: {self._demangled(name)}")


def _is_of_c(function: Function) -> bool:
    return not function.name.startswith(("_R", "_ZN"))


def shortened(name: str, most: int = 160) -> str:
    """Iterators' names fill pages."""
    return name if len(name) <= most else name[: most - 1] + "…"


def rust_objects(directory: pathlib.Path) -> Iterator[str]:
    """The objects of the kernel's Rust crates in a kernel's build directory."""
    for name in ("core", "kernel"):
        file = directory / "rust" / f"{name}.o"
        if file.is_file():
            yield str(file)
