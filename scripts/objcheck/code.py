# SPDX-License-Identifier: GPL-2.0-only
"""The functions of an object file: what each refers to, and how much stack it takes.

A reference is to another function, or to a name that another file defines, or to an item of data, which may refer to
functions in turn (a table of them). Two instructions leave no name behind, and get one: INDIRECT, a call by an address
in a register or in memory, and TRAP, an instruction that stops the machine (BUG() in C, abort() in Rust).
"""

import dataclasses
import functools
import re
import subprocess

from . import elf

INDIRECT = "(indirect call)"
TRAP = "(trap)"

# Entry points of the thunks that stand in for indirect calls, and of those that do nothing but return or count.
_THUNK = re.compile(r"^__x86_indirect_(thunk|call_thunk|jump_thunk)_")

_ADDRESS = re.compile(r"^\s+([0-9a-f]+):\t(.*)$")
_SECTION = re.compile(r"^Disassembly of section (.+):$")
_DIRECT = re.compile(r"^(?:notrack )?(?:bnd )?(?:call|jmp|j[a-z]+|xbegin)q?(?:,p[nt])?\s+([0-9a-f]+)\b")
_INDIRECT = re.compile(r"^(?:notrack )?(?:bnd )?(?:call|jmp)q?\s+\*")
_CALL = re.compile(r"^(?:notrack )?(?:bnd )?(?:call|jmp|j[a-z]+)q?\b")
_TRAP = re.compile(r"^(?:ud[012]|hlt)\b")
_PUSH = re.compile(r"^push\s+%r")
_FRAME = re.compile(r"^(sub|add)\s+\$(0x[0-9a-f]+),%rsp")

# Kinds of relocations of x86-64 that are relative to the place that they fill in.
_RELATIVE = {2, 4, 9, 41, 42}

# Those that a place in a table of addresses stands for: a call through it goes to the name.
_TABLE_OF_ADDRESSES = {9, 41, 42}

# A function by section and offset, an item of data by the same, a name that is not defined here.
Place = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Reference:
    """From an instruction to a name that is not defined in the file, or to a trap or an indirect call."""

    name: str
    section: int
    offset: int


@dataclasses.dataclass
class Function:
    """A function."""

    name: str
    plain: str
    section: int
    offset: int
    # Bytes of stack: locals, saved registers, the return address.
    frame: int = 8
    functions: set[Place] = dataclasses.field(default_factory=set)
    # Those of them whose address it takes, and does not call.
    taken: set[Place] = dataclasses.field(default_factory=set)
    data: set[Place] = dataclasses.field(default_factory=set)
    names: list[Reference] = dataclasses.field(default_factory=list)


class Code:
    """The functions and the data of an object file."""

    def __init__(self, path: str):
        self.path = path
        self.elf = elf.Elf(path)
        if self.elf.machine != 62:
            raise ValueError(f"{path}: only code of x86-64 can be read")
        self.functions: dict[Place, Function] = {}
        # Names in code that is in no function.
        self.outside: set[str] = set()
        self._find_functions()
        instructions = self._disassemble()
        pending = self._read_code(instructions)
        self._find_data(pending)

    def _find_functions(self) -> None:
        code = {section.index for section in self.elf.sections if section.is_code}
        found: dict[Place, str] = {}
        for symbol in self.elf.symbols:
            # Others are labels within functions, and the padding before them.
            if symbol.section in code and symbol.kind == elf.STT_FUNC and not symbol.name.startswith("__pfx_"):
                place = (symbol.section, symbol.value)
                # Of two names for a place the public one.
                if place not in found or symbol.is_global:
                    found[place] = symbol.name
        plain = demangled(sorted(set(found.values())))
        for (section, offset), name in found.items():
            self.functions[section, offset] = Function(name, plain[name], section, offset)
        self._code = {
            section: elf.Places(offset for index, offset in found if index == section) for section in code
        }

    def function_at(self, section: int, offset: int) -> Place | None:
        """The function that has this place."""
        places = self._code.get(section)
        begin = places.begin(offset) if places else None
        return None if begin is None else (section, begin)

    def _disassemble(self) -> dict[int, list[tuple[int, str]]]:
        """Section → its instructions, by place."""
        by_name = {section.name: section.index for section in self.elf.sections if section.is_code}
        if len(by_name) != len(self._code):
            raise ValueError(f"{self.path}: two sections of code have one name")
        done = subprocess.run(
            ["objdump", "--disassemble", "--no-show-raw-insn", self.path],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found: dict[int, list[tuple[int, str]]] = {index: [] for index in by_name.values()}
        section = 0
        for line in done.stdout.splitlines():
            if match := _ADDRESS.match(line):
                found[section].append((int(match[1], 16), match[2]))
            elif match := _SECTION.match(line):
                section = by_name[match[1]]
        return found

    def _read_code(self, instructions) -> list[tuple[Function, int, int]]:
        """Reads what functions refer to; the items of data are left to be found: (function, section, offset)."""
        pending = []
        for section, lines in instructions.items():
            relocations = self.elf.relocations.get(section, [])
            at = 0
            for index, (offset, text) in enumerate(lines):
                after = lines[index + 1][0] if index + 1 < len(lines) else self.elf.sections[section].size
                place = self.function_at(section, offset)
                first = at
                while at < len(relocations) and relocations[at].offset < after:
                    at += 1
                if place is None:
                    self.outside |= {it.symbol.name for it in relocations[first:at] if it.symbol.section is None}
                    continue
                function = self.functions[place]
                _count_stack(function, text)
                is_call = _CALL.match(text) is not None
                for relocation in relocations[first:at]:
                    self._take(function, relocation, after, is_call, pending)
                if _TRAP.match(text):
                    function.names.append(Reference(TRAP, section, offset))
                elif _INDIRECT.match(text) and not any(it.kind in _TABLE_OF_ADDRESSES for it in relocations[first:at]):
                    function.names.append(Reference(INDIRECT, section, offset))
                elif first == at and (match := _DIRECT.match(text)):
                    target = self.function_at(section, int(match[1], 16))
                    if target is not None and target != place:
                        function.functions.add(target)
        return pending

    def _take(self, function: Function, relocation, after: int, is_call: bool, pending) -> None:
        symbol = relocation.symbol
        if symbol.section is None:
            name = INDIRECT if _THUNK.match(symbol.name) else symbol.name
            function.names.append(Reference(name, function.section, relocation.offset))
            return
        offset = symbol.value + relocation.addend
        if relocation.kind in _RELATIVE:
            offset += after - relocation.offset
        section = self.elf.sections[symbol.section]
        if section.is_code:
            target = self.function_at(symbol.section, offset)
            if target is not None and target != (function.section, function.offset):
                function.functions.add(target)
                if not is_call:
                    function.taken.add(target)
        elif section.is_loaded:
            pending.append((function, symbol.section, offset))

    def _find_data(self, pending) -> None:
        """Items of data begin where symbols do, and where anything refers to."""
        starts: dict[int, set[int]] = {}
        for symbol in self.elf.symbols:
            if symbol.section is not None and symbol.kind == elf.STT_OBJECT:
                starts.setdefault(symbol.section, set()).add(symbol.value)
        for _, section, offset in pending:
            starts.setdefault(section, set()).add(offset)
        for section in self.elf.sections:
            if not section.is_loaded or section.is_code:
                continue
            for relocation in self.elf.relocations.get(section.index, []):
                symbol = relocation.symbol
                if symbol.section is not None and not self.elf.sections[symbol.section].is_code:
                    starts.setdefault(symbol.section, set()).add(symbol.value + relocation.addend)
        self._items = {section: elf.Places(offsets) for section, offsets in starts.items()}
        for function, section, offset in pending:
            function.data.add((section, offset))

    def item(self, section: int, offset: int) -> list:
        """The relocations in the item of data at an offset: to the end of its symbol, or to the next item."""
        end = self._items[section].end(offset) if section in self._items else None
        for symbol in self._objects.get(section, []):
            if symbol.value <= offset < symbol.value + symbol.size:
                offset, end = symbol.value, symbol.value + symbol.size
        found = self.elf.relocations.get(section, [])
        return [it for it in found if offset <= it.offset and (end is None or it.offset < end)]

    @functools.cached_property
    def _objects(self) -> dict[int, list[elf.Symbol]]:
        found: dict[int, list[elf.Symbol]] = {}
        for symbol in self.elf.symbols:
            if symbol.section is not None and symbol.kind == elf.STT_OBJECT and symbol.size:
                found.setdefault(symbol.section, []).append(symbol)
        return found

    def source(self, reference: Reference) -> list[str]:
        """The lines that an instruction comes from, "FILE:LINE", what is inlined first; none without debug information."""
        section = self.elf.sections[reference.section].name
        done = subprocess.run(
            ["addr2line", "-i", "-e", self.path, "-j", section, hex(reference.offset)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = (line.split(" ")[0] for line in done.stdout.splitlines())
        known = [line for line in lines if not line.startswith("?")]
        return [re.sub(r"^.*?/(?=(module/|rust/|library/|include/|net/))", "", line) for line in known]


def _count_stack(function: Function, text: str) -> None:
    if match := _FRAME.match(text):
        value = int(match[2], 16)
        if value >= 1 << 63:
            value -= 1 << 64
        function.frame += max(0, value if match[1] == "sub" else -value)
    elif _PUSH.match(text):
        function.frame += 8


_CRATE_HASH = re.compile(r"\[[0-9a-f]{16}\]|::h[0-9a-f]{16}$")


def demangled(names: list[str]) -> dict[str, str]:
    """Names as people write them, whichever of its two ways of mangling rustc used."""
    if not names:
        return {}
    done = subprocess.run(["c++filt"], input="\n".join(names), check=True, stdout=subprocess.PIPE, text=True)
    plain = (_CRATE_HASH.sub("", line) for line in done.stdout.splitlines())
    return dict(zip(names, plain, strict=True))
