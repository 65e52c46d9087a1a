# SPDX-License-Identifier: GPL-2.0-only
"""module/core/src/genl.rs: the numbers and names, for the module and for userspace."""

from .rust import HEAD, camel, constant, doc, formatted
from .spec import Attribute, Enum, Set, Spec

PURPOSE = """\
//! The numbers and names of the generic netlink family `nlb`: commands, attributes, enumerations.
//!
//! Numbers are never changed or reused, only added to. Integers are in host byte order, addresses are 4 or 16 bytes in
//! network order, and every request names its cluster by `ifindex`.

use super::limits;
use super::state::named;
"""


def numbers(spec: Spec) -> str:
    """The file."""
    parts = [HEAD, PURPOSE, _family(spec), _limits(spec), _commands(spec)]
    parts += [_set(it) for it in spec.full_sets()]
    parts += [_enum(it) for it in spec.enums.values()]
    return formatted("\n".join(parts), "2021")


def _family(spec: Spec) -> str:
    lines = [
        "/// Name of the family.",
        f'pub const FAMILY: &str = "{spec.name}";',
        "",
        "/// Version of the family.",
        "pub const VERSION: u8 = 1;",
    ]
    for group in spec.groups:
        told = " and ".join(f"`{it.name}`" for it in spec.operations if it.group == group.name)
        needs = " To join it needs CAP_NET_ADMIN." if group.admin else ""
        lines += ["", doc(f"Multicast group of {told}.{needs}").rstrip()]
        lines.append(f'pub const GROUP_{constant(group.name)}: &str = "{group.name}";')
    return "\n".join(lines) + "\n"


def _limits(spec: Spec) -> str:
    lines = ["// The limits that the specification tells are those of the core."]
    for it in spec.consts:
        lines.append(f"const _: () = assert!(limits::{constant(it.name)} == {it.value});")
    return "\n".join(lines) + "\n"


def _commands(spec: Spec) -> str:
    lines = [
        "named! {",
        doc("Commands. A reply carries the number of its request; notifications have their own.", 4).rstrip(),
        "    Command {",
    ]
    for it in spec.operations:
        text = f"{it.doc} Attributes: [`{it.set}`]."
        if it.admin and "CAP_NET_ADMIN" not in text:
            text += " Needs CAP_NET_ADMIN."
        if it.group:
            text += f" Group [`GROUP_{constant(it.group)}`]."
        lines.append(doc(text, 8).rstrip())
        lines.append(f'        {camel(it.name)} = {it.value} "{it.name}",')
    return "\n".join(lines + ["    }", "}"]) + "\n"


def _type(attribute: Attribute) -> str:
    if attribute.enum:
        return f"`{attribute.type}`, [`super::{camel(attribute.enum)}`]"
    if attribute.hint == "ipv4-or-v6":
        return "`binary`, 4 or 16 bytes"
    if attribute.type == "binary":
        least, most = attribute.lengths()
        return f"`binary`, {most} bytes" if least == most else f"`binary`, {least} to {most} bytes"
    if attribute.type == "nest":
        return f"`nest`, attributes [`super::{attribute.nested_base}`]"
    return f"`{attribute.type}`"


def _set(it: Set) -> str:
    lines = [doc(it.doc).rstrip(), f"pub mod {it.name} {{"]
    for attribute in it.attributes.values():
        more = ", repeated" if attribute.multi else ""
        lines.append(doc(f"{attribute.doc} {_type(attribute)}{more}.", 4).rstrip())
        lines.append(f"    pub const {constant(attribute.name)}: u16 = {attribute.value};")
    lines.append("    /// Highest number in use.")
    lines.append(f"    pub const MAX: u16 = {len(it.attributes)};")
    return "\n".join(lines + ["}"]) + "\n"


def _enum(it: Enum) -> str:
    lines = ["named! {", doc(it.doc, 4).rstrip(), f"    {camel(it.name)} {{"]
    for entry in it.entries:
        lines.append(doc(entry.doc, 8).rstrip())
        lines.append(f'        {camel(entry.name)} = {entry.value} "{entry.name}",')
    return "\n".join(lines + ["    }", "}"]) + "\n"
