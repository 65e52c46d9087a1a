# SPDX-License-Identifier: GPL-2.0-only
"""userspace/nlb-netlink/src/generated.rs: the attributes as types, and replies made from them."""

from .rust import HEAD, camel, constant, doc, formatted, snake
from .spec import Attribute, Operation, Set, Spec

INTEGERS = ("u8", "u16", "u32", "u64")


def types(spec: Spec) -> str:
    """The file."""
    enums = sorted(camel(name) for name in spec.enums)
    purpose = f"""\
//! The tables of the family: which attribute has which type, which command has which attributes, what replies have.

use std::net::IpAddr;

use netlink_packet_core::{{
    DecodeError, DefaultNla, Emitable, ErrorContext, Nla, NlaBuffer, NlasIterator, Parseable,
}};
use nlb_core::{{
    genl::{{self, Command, {", ".join(enums)}}},
    limits::{{{", ".join(sorted(_limits(spec)))}}},
}};

use crate::{{
    attribute::{{AttributeSet, attributes}},
    code::{{Code, Named, named}},
    message::message,
    reply::{{Field, reply}},
    value::{{Nest, Value}},
}};
"""
    named = "named! {\n" + "".join(f"    {name},\n" for name in ["Command", *enums]) + "}\n"
    parts = [HEAD, purpose, named]
    parts += [_attributes(it) for it in spec.full_sets()]
    parts.append(_message(spec))
    parts += [_reply(spec, it) for it in spec.replying()]
    return formatted("\n".join(parts), "2024")


def _limits(spec: Spec) -> set[str]:
    found = set()
    for it in spec.full_sets():
        for attribute in it.attributes.values():
            least, most = attribute.lengths()
            if least == most and isinstance(least, str):
                found.add(constant(least))
    return found


def _type(attribute: Attribute) -> str:
    if attribute.enum:
        return f"Code<{camel(attribute.enum)}>"
    if attribute.type in INTEGERS:
        return attribute.type
    if attribute.type == "string":
        return "String"
    if attribute.type == "flag":
        return "()"
    if attribute.type == "nest":
        return f"Nest<{camel(attribute.nested_base)}Attribute>"
    if attribute.hint == "ipv4-or-v6":
        return "IpAddr"
    least, most = attribute.lengths()
    # What is longer than a key is not kept in place.
    if least == most and (isinstance(least, str) or least <= 32):
        return f"[u8; {constant(least) if isinstance(least, str) else least}]"
    return "Vec<u8>"


def _attributes(it: Set) -> str:
    head = f"    {camel(it.name)}Attribute = {it.name} {{"
    lines = ["attributes! {", doc(it.doc, 4).rstrip(), head]
    for attribute in it.attributes.values():
        name = attribute.name
        lines.append(doc(attribute.doc, 8).rstrip())
        lines.append(f'        {camel(name)}({_type(attribute)}) = {constant(name)} "{name}",')
    return "\n".join(lines + ["    }", "}"]) + "\n"


def _message(spec: Spec) -> str:
    lines = ["message! {"]
    for it in spec.full_sets():
        commands = [camel(op.name) for op in spec.operations if op.set == it.name]
        lines.append(f"    {camel(it.name)}({camel(it.name)}Attribute): {' | '.join(commands)},")
    return "\n".join(lines + ["}"]) + "\n"


def _field(attribute: Attribute) -> str:
    if attribute.type == "flag":
        return "bool"
    return f"Vec<{_type(attribute)}>" if attribute.multi else f"Option<{_type(attribute)}>"


def _reply(spec: Spec, it: Operation) -> str:
    what = "A notification" if it.group else "A reply to"
    lines = [
        "reply! {",
        f"    /// {what} `{it.name}`.",
        f"    {camel(it.name)} from {camel(it.set)}Attribute {{",
    ]
    for attribute in spec.attributes(it, it.reply):
        lines.append(doc(attribute.doc, 8).rstrip())
        name = attribute.name
        lines.append(f"        {snake(name)}: {_field(attribute)} = {camel(name)},")
    return "\n".join(lines + ["    }", "}"]) + "\n"
