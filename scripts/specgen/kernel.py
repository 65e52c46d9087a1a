# SPDX-License-Identifier: GPL-2.0-only
"""module/netlink/policy.rs and module/netlink/sent.rs: what requests may have, who answers, what replies have."""

from .rust import HEAD, camel, constant, doc, formatted, snake
from .spec import Attribute, Operation, Set, Spec

POLICY = """\
//! The table of operations with the policies of their requests, and the multicast groups.
//!
//! The kernel checks what is in a request, and the lengths of it. Numbers out of range are refused by the handlers,
//! which say what is in range.
"""

SENT = """\
//! The attributes of each reply and notification: what is not listed cannot be sent, and the compiler refuses a list
//! with an attribute that is sent nowhere.
#![deny(dead_code)]
"""


def policy(spec: Spec) -> str:
    """The file with the policies."""
    uses = _Uses()
    nests = [_nest(uses, it) for it in spec.subsets()]
    table = [_operation(spec, uses, it) for it in spec.operations if it.modes != ["event"]]
    text = [HEAD, POLICY, uses.lines(spec), _groups(spec)]
    head = "/// The operations.\npub(crate) const OPERATIONS: &[Operation<Registry>] = &[\n"
    text.append(head + "".join(table) + "];\n")
    return formatted("\n".join(text + nests), "2021")


def sent(spec: Spec) -> str:
    """The file with the lists of replies."""
    parts = [HEAD, SENT]
    for it in spec.replying():
        what = "Notifications" if it.group else "Replies to"
        lines = [
            f"/// {what} `{it.name}`.",
            f"pub(crate) mod {snake(it.name)} {{",
            f"    use crate::nlb_core::genl::{it.set} as at;",
            "",
        ]
        for name in it.reply:
            lines.append(f"    pub(crate) const {constant(name)}: u16 = at::{constant(name)};")
        parts.append("\n".join(lines + ["}"]) + "\n")
    return formatted("\n".join(parts), "2021")


def handlers(operation: Operation) -> dict[str, str]:
    """The functions that answer, by mode: cluster_get, cluster_dump."""
    name = snake(operation.name)
    names = {"do": name, "dump": name.removesuffix("_get") + "_dump"}
    return {mode: names[mode] for mode in operation.modes if mode in names}


class _Uses:
    """What the file has to name."""

    def __init__(self) -> None:
        self.limits: set[str] = set()
        self.sets: set[str] = set()

    def limit(self, value: int | str, kind: str) -> str:
        """A length, which may be the name of a limit."""
        if isinstance(value, int):
            return str(value)
        self.limits.add(constant(value))
        return f"{constant(value)} as {kind}"

    def lines(self, spec: Spec) -> str:
        """The use declarations."""
        answer = sorted(name for it in spec.operations for name in handlers(it).values())
        return "\n".join(
            [
                "use crate::kapi::genetlink::Operation;",
                "use crate::kapi::netlink::{policy, Policy};",
                f"use crate::netlink::operations::{{{', '.join(answer)}}};",
                f"use crate::nlb_core::genl::{{self, {', '.join(sorted(self.sets))}, Command}};",
                f"use crate::nlb_core::limits::{{{', '.join(sorted(self.limits))}}};",
                "use crate::registry::Registry;",
                "",
            ]
        )


def _groups(spec: Spec) -> str:
    rows = ", ".join(
        f"(genl::GROUP_{constant(it.name)}, {str(it.admin).lower()})" for it in spec.groups
    )
    lines = [
        "/// Names of the multicast groups, each with whether joining needs CAP_NET_ADMIN.",
        f"pub(crate) const GROUPS: &[(&str, bool)] = &[{rows}];",
    ]
    for place, it in enumerate(spec.groups):
        lines += ["", f"/// Place of the group `{it.name}` in [`GROUPS`]."]
        lines.append(f"pub(crate) const GROUP_{constant(it.name)}: usize = {place};")
    return "\n".join(lines) + "\n"


def _rule(uses: _Uses, attribute: Attribute) -> str:
    if attribute.type == "nest":
        return f"Policy::nested({constant(attribute.nested)})"
    if attribute.type == "string":
        return f"Policy::string({uses.limit(attribute.checks['max-len'], 'u16')})"
    if attribute.type == "binary":
        least, most = (uses.limit(it, "i16") for it in attribute.lengths())
        return f"Policy::bytes({least}, {most})"
    return f"Policy::{attribute.type.upper()}"


def _policy(uses: _Uses, name: str, attributes: list[Attribute]) -> str:
    uses.sets.add(name)
    rows = [f"{name}::{constant(it.name)} => {_rule(uses, it)}," for it in attributes]
    if len(rows) == 1:
        return f"policy!({name}::MAX; {rows[0]})"
    return f"policy!({name}::MAX;\n" + "".join(f"            {row}\n" for row in rows) + "        )"


def _nest(uses: _Uses, subset: Set) -> str:
    rows = _policy(uses, subset.base, list(subset.attributes.values())).replace("\n        ", "\n")
    return doc(subset.doc) + f"const {constant(subset.name)}: &[Policy] = {rows};\n"


def _operation(spec: Spec, uses: _Uses, it: Operation) -> str:
    answer = handlers(it)
    some = {mode: f"Some({answer[mode]})" if mode in answer else "None" for mode in ("do", "dump")}
    return f"""\
    Operation {{
        command: Command::{camel(it.name)} as u8,
        admin: {str(it.admin).lower()},
        policy: {_policy(uses, it.set, spec.attributes(it, it.request))},
        answer: {some["do"]},
        dump: {some["dump"]},
    }},
"""
