# SPDX-License-Identifier: GPL-2.0-only
"""dist/wireshark/nlb.lua: the names of numbers that frames and the netlink family share."""

import pathlib

from .spec import Spec

PATH = pathlib.Path(__file__).resolve().parents[2] / "dist/wireshark/nlb.lua"

BEGIN = '-- BEGIN of what "make generate" writes, from module/specs/nlb.yaml\n'
END = "-- END of it\n"

# Each table of the dissector with its enumeration.
TABLES = {"STATES": "host-state", "OUT_REASONS": "out-reason", "CAUSES": "cause"}


def dissector(spec: Spec) -> str:
    """The file, all else as it is."""
    before, rest = PATH.read_text().split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "".join(_table(spec, *it) for it in TABLES.items()) + END + after


def _table(spec: Spec, name: str, enum: str) -> str:
    rows = [f'    [{it.value}] = "{it.name}",\n' for it in spec.enums[enum].entries]
    return f"local {name} = {{\n{''.join(rows)}}}\n"
