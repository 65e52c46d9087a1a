#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks into the module's object file: check-object.py OBJECT…

OBJECT is the Rust crate before linking (build/module/RELEASE/module/nlb_main.o).
Two properties that the source cannot show are read off the machine code:

panics   Nothing on the packet path, and nothing in the core, refers to a panic
         function. A panic in the kernel is a dead machine; the compiler must
         have seen that none can be reached. Those elsewhere are printed only:
         the kernel crate's own vectors have some.
stack    No frame on the packet path is larger than PACKET_FRAME, none
         elsewhere larger than FRAME: an interrupt adds to what is in use.
         What the calls below each entry add up to is printed.

The packet path is everything that the hooks' and timers' entry functions
reach: by calls, and by the tables of functions that they refer to.
Offenders go to standard output; the exit code is 0 if there are none.
"""

import bisect
import collections
import dataclasses
import functools
import re
import subprocess
import sys

# Largest frames, in bytes. A hook runs on top of a driver, the bridge, perhaps
# a tunnel, and an interrupted system call, all within 16 KiB. Elsewhere the
# bound is that of the kernel's own warning (CONFIG_FRAME_WARN).
PACKET_FRAME = 512
FRAME = 2048

# Where the kernel enters on the packet path (demangled names).
ENTRY = re.compile(r"nlb_main::kapi::(netfilter::call(_\w+)?::|hrtimer::.*::callback\b)")

# What panics call, in core's mangled names.
PANIC = re.compile(
    r"4core9panicking|13unwrap_failed|13expect_failed|10slice_.*fail|16slice_error_fail|"
    r"4core5slice5index.*(fail|do_panic)|15copy_from_slice.*fail|4core4cell.*panic|rust_begin_unwind"
)

# The compiler's own labels begin with a dot.
_FUNCTION = re.compile(r"^[0-9a-f]+ <([^.].*)>:$")
_SECTION = re.compile(r"^Disassembly of section (.+):$")
_RELOCATION = re.compile(r"^\s+[0-9a-f]+: (R_X86_64_\w+)\s+(\S+)")
_LOCAL_TARGET = re.compile(r"\b(?:call|jmp|j\w+)\s+[0-9a-f]+ <([^+>]+)(?:\+0x[0-9a-f]+)?>")
_PUSH = re.compile(r"\bpush\s+%r")
_FRAME = re.compile(r"\b(sub|add)\s+\$(0x[0-9a-f]+),%rsp")
_TABLE = re.compile(r"^RELOCATION RECORDS FOR \[(.+)\]:$")
_TABLE_ENTRY = re.compile(r"^([0-9a-f]+) R_X86_64_\w+\s+(\S+)")
_CRATE_HASH = re.compile(r"\[[0-9a-f]{16}\]")
_ADDEND = re.compile(r"^(.*?)([+-]0x[0-9a-f]+)?$")


@dataclasses.dataclass
class Function:
    """What one function does, as far as it matters here."""

    # Bytes of stack: locals, saved registers, the return address.
    frame: int = 8
    refers: set[str] = dataclasses.field(default_factory=set)
    # Places in data sections: (section, offset).
    data: set[tuple[str, int]] = dataclasses.field(default_factory=set)
    # Panic functions by the places that refer to them.
    panics: list[tuple[str, int, str]] = dataclasses.field(default_factory=list)


def split(target: str) -> tuple[str, int]:
    """A relocation's target as name and offset."""
    name, offset = _ADDEND.match(target).groups()
    return name, int(offset, 16) if offset else 0


def run(*command: str) -> list[str]:
    """A tool's lines."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


class Object:
    """The functions of an object file, and its tables."""

    def __init__(self, path: str):
        self.path = path
        self.functions: dict[str, Function] = {}
        # Data section → sorted (offset, target).
        self.tables: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
        # Section of code → (offset, function), for targets without a name.
        self.places: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
        self._read_code(run("objdump", "-dr", "--no-show-raw-insn", path))
        self._read_tables(run("objdump", "-r", path))
        self._find_data()
        self.names = self._demangle()

    def _read_code(self, lines: list[str]) -> None:
        function, section = Function(), ""
        for line in lines:
            if match := _SECTION.match(line):
                section = match[1]
            elif match := _FUNCTION.match(line):
                function = self.functions.setdefault(match[1], Function())
                self.places[section].append((int(line.split()[0], 16), match[1]))
            elif match := _RELOCATION.match(line):
                self._take_relocation(function, *match.groups())
                if PANIC.search(match[2]):
                    place = int(line.split(":")[0], 16)
                    function.panics.append((section, place, split(match[2])[0]))
            else:
                if match := _FRAME.search(line):
                    function.frame += frame_size(*match.groups())
                elif _PUSH.search(line):
                    function.frame += 8
                if match := _LOCAL_TARGET.search(line):
                    function.refers.add(match[1])

    def _take_relocation(self, function: Function, kind: str, target: str) -> None:
        name, offset = split(target)
        if name.startswith("."):
            # Relative ones count from the end of the field, four bytes on.
            relative = kind in ("R_X86_64_PC32", "R_X86_64_PLT32", "R_X86_64_GOTPCREL")
            function.data.add((name, offset + (4 if relative else 0)))
        else:
            function.refers.add(name)

    def _read_tables(self, lines: list[str]) -> None:
        section = ""
        for line in lines:
            if match := _TABLE.match(line):
                section = match[1]
            elif (match := _TABLE_ENTRY.match(line)) and is_data(section):
                self.tables[section].append((int(match[1], 16), match[2]))
        for table in self.tables.values():
            table.sort()

    def _find_data(self) -> None:
        """All places that anything refers to: each begins an item of data."""
        starts = collections.defaultdict(set)
        for function in self.functions.values():
            for section, offset in function.data:
                starts[section].add(offset)
        for table in self.tables.values():
            for _, target in table:
                name, offset = split(target)
                starts[name].add(offset)
        self.starts = {section: sorted(offsets) for section, offsets in starts.items()}

    def _demangle(self) -> dict[str, str]:
        symbols = sorted(
            set(self.functions).union(*(function.refers for function in self.functions.values()))
        )
        done = subprocess.run(
            ["c++filt"], input="\n".join(symbols), check=True, stdout=subprocess.PIPE, text=True
        )
        return dict(zip(symbols, _CRATE_HASH.sub("", done.stdout).splitlines()))

    def _code_at(self, section: str, offset: int) -> str | None:
        places = self.places.get(section)
        if not places:
            return None
        index = bisect.bisect_right(places, (offset, "\uffff")) - 1
        return places[index][1] if index >= 0 else None

    def _item(self, section: str, offset: int) -> list[str]:
        """The targets in the item of data that begins at an offset."""
        starts = self.starts[section]
        index = bisect.bisect_right(starts, offset)
        end = starts[index] if index < len(starts) else float("inf")
        return [target for at, target in self.tables.get(section, []) if offset <= at < end]

    def reached(self, roots: list[str]) -> set[str]:
        """The functions that some others reach, themselves included."""
        seen: set = set()
        todo: list = list(roots)
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            if isinstance(one, tuple):
                todo += [self._resolve(target) for target in self._item(*one)]
            elif one in self.functions:
                function = self.functions[one]
                todo += function.refers
                todo += [self._place(*place) for place in function.data]
        return {one for one in seen if isinstance(one, str)}

    def depth(self, name: str, above: tuple[str, ...] = ()) -> int:
        """Bytes of stack that a function and what it calls take at most.

        Calls through tables, and into the kernel, are not in it.
        """
        if name not in self.functions or name in above:
            return 0
        if name not in self._depths:
            function = self.functions[name]
            below = (self.depth(other, (*above, name)) for other in function.refers)
            self._depths[name] = function.frame + max(below, default=0)
        return self._depths[name]

    @functools.cached_property
    def _depths(self) -> dict[str, int]:
        return {}

    def source(self, section: str, offset: int) -> str:
        """The line of our own source that some code comes from, or else of what it inlines."""
        lines = run("addr2line", "-i", "-e", self.path, "-j", section, hex(offset))
        known = [line for line in lines if not line.endswith("?")] or lines
        own = [line for line in known if "/module/" in line]
        line = (own or known or ["?"])[0]
        return re.sub(r"^.*?/(?=module/|rust/|core/src/)", "", line).split(" ")[0]

    def _resolve(self, target: str):
        name, offset = split(target)
        return self._place(name, offset) if name.startswith(".") else name

    def _place(self, section: str, offset: int):
        return self._code_at(section, offset) or (section, offset)


def is_data(section: str) -> bool:
    """True for sections whose items the code uses; not for debug and unwind data."""
    return section.startswith((".data", ".rodata"))


def frame_size(verb: str, constant: str) -> int:
    """Bytes that an instruction takes off the stack pointer, or 0."""
    value = int(constant, 16)
    if value >= 1 << 63:
        value -= 1 << 64
    return max(0, value if verb == "sub" else -value)


def check(path: str) -> list[str]:
    """The offenders of one object file."""
    obj = Object(path)
    roots = sorted(name for name in obj.functions if ENTRY.search(obj.names[name]))
    if not roots:
        return [f"{path}: no entry function of a hook or a timer is in it, so there is nothing to go by"]
    on_path = obj.reached(roots)
    found = []
    for name, function in sorted(obj.functions.items(), key=lambda item: obj.names[item[0]]):
        plain = shortened(obj.names[name])
        where = "on the packet path" if name in on_path else "elsewhere"
        for section, offset, panic in function.panics:
            source = obj.source(section, offset)
            line = f"panic, {where}: {source}: {obj.names[panic]} in {plain}"
            if name in on_path or source.startswith("module/core/"):
                found.append(line)
            else:
                print(f"note: {line}", file=sys.stderr)
        limit = PACKET_FRAME if name in on_path else FRAME
        if function.frame > limit:
            found.append(f"stack, {where}: {function.frame} bytes, more than {limit}: {plain}")
    ours = len(on_path & set(obj.functions))
    print(f"{path}: {len(obj.functions)} functions, {ours} on the packet path", file=sys.stderr)
    for root in roots:
        print(f"stack {obj.depth(root):5} bytes below {shortened(obj.names[root])}", file=sys.stderr)
    return list(dict.fromkeys(found))


def shortened(name: str) -> str:
    """Iterators' names fill pages."""
    return name if len(name) <= 160 else name[:157] + "…"


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = [line for path in sys.argv[1:] for line in check(path)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
