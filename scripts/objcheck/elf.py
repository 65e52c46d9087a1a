# SPDX-License-Identifier: GPL-2.0-only
"""Relocatable ELF files of 64 bits: sections, symbols, relocations."""

import bisect
import dataclasses
import struct

SHT_SYMTAB, SHT_RELA = 2, 4
SHF_ALLOC, SHF_EXECINSTR = 2, 4
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
SHN_UNDEF, SHN_LORESERVE = 0, 0xFF00


@dataclasses.dataclass(frozen=True)
class Section:
    """A section."""

    index: int
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int

    @property
    def is_code(self) -> bool:
        """Whether it is executed."""
        return bool(self.flags & SHF_EXECINSTR)

    @property
    def is_loaded(self) -> bool:
        """Whether it is there at run time."""
        return bool(self.flags & SHF_ALLOC)


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A symbol; `section` is None for an undefined one."""

    name: str
    kind: int
    is_global: bool
    section: int | None
    value: int
    size: int


@dataclasses.dataclass(frozen=True)
class Relocation:
    """A place in a section that the loader fills in."""

    offset: int
    kind: int
    symbol: Symbol
    addend: int


class Elf:
    """A relocatable file."""

    def __init__(self, path: str):
        self.path = path
        with open(path, "rb") as file:
            self._bytes = file.read()
        if self._bytes[:6] != b"\x7fELF\x02\x01" or self._bytes[16:18] != b"\x01\x00":
            raise ValueError(f"{path} is no relocatable ELF file of 64 bits, little-endian")
        (self.machine,) = struct.unpack_from("<H", self._bytes, 18)
        self.sections = self._read_sections()
        self.symbols = self._read_symbols()
        # Section → its relocations, by place.
        self.relocations: dict[int, list[Relocation]] = {}
        for section in self.sections:
            if section.kind == SHT_RELA:
                self.relocations.setdefault(section.info, []).extend(self._read_relocations(section))
        for relocations in self.relocations.values():
            relocations.sort(key=lambda relocation: relocation.offset)

    def _read_sections(self) -> list[Section]:
        (at,) = struct.unpack_from("<Q", self._bytes, 40)
        each, count, names = struct.unpack_from("<HHH", self._bytes, 58)
        rows = [struct.unpack_from("<IIQQQQIIQQ", self._bytes, at + index * each) for index in range(count)]
        strings = rows[names][4]
        return [
            Section(index, self._text(strings + row[0]), row[1], row[2], row[4], row[5], row[6], row[7])
            for index, row in enumerate(rows)
        ]

    def _read_symbols(self) -> list[Symbol]:
        table = next(section for section in self.sections if section.kind == SHT_SYMTAB)
        strings = self.sections[table.link].offset
        symbols = []
        for at in range(table.offset, table.offset + table.size, 24):
            name, info, _, section, value, size = struct.unpack_from("<IBBHQQ", self._bytes, at)
            known = section != SHN_UNDEF and section < SHN_LORESERVE
            kind = info & 15
            text = self._text(strings + name)
            if kind == STT_SECTION and known:
                text = self.sections[section].name
            symbols.append(Symbol(text, kind, info >> 4 != 0, section if known else None, value, size))
        return symbols

    def _read_relocations(self, section: Section) -> list[Relocation]:
        found = []
        for at in range(section.offset, section.offset + section.size, 24):
            offset, info, addend = struct.unpack_from("<QQq", self._bytes, at)
            found.append(Relocation(offset, info & 0xFFFFFFFF, self.symbols[info >> 32], addend))
        return found

    def _text(self, at: int) -> str:
        return self._bytes[at : self._bytes.index(b"\0", at)].decode()

    def undefined(self) -> set[str]:
        """Names that others must define."""
        return {s.name for s in self.symbols if s.section is None and s.name and s.value == 0 and s.is_global}


class Places:
    """Which of several places in a section an offset belongs to: the last one that begins before it or there."""

    def __init__(self, starts):
        self.starts = sorted(starts)

    def begin(self, offset: int) -> int | None:
        """Where the place begins that has this offset."""
        index = bisect.bisect_right(self.starts, offset) - 1
        return self.starts[index] if index >= 0 else None

    def end(self, offset: int) -> int | None:
        """Where the next one begins; None if it is the last."""
        index = bisect.bisect_right(self.starts, offset)
        return self.starts[index] if index < len(self.starts) else None
