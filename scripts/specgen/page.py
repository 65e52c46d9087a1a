# SPDX-License-Identifier: GPL-2.0-only
"""docs/netlink.md: the reference page."""

import textwrap

from .spec import Attribute, Operation, Set, Spec

HEAD = """\
<!-- SPDX-License-Identifier: GPL-2.0-only -->
<!-- Generated from module/specs/nlb.yaml by scripts/generate.py; do not edit. -->
# The netlink interface

"""

TOOL = """
The specification, `module/specs/nlb.yaml`, is one for the kernel's own tool. From a kernel's sources, with the module
loaded:

```
tools/net/ynl/pyynl/cli.py --spec module/specs/nlb.yaml --schema Documentation/netlink/genetlink.yaml \\
    --dump cluster-get
```

After a change of the specification, run `make generate`: it makes this page and all code that depends on it.
"""


def reference(spec: Spec) -> str:
    """The page."""
    parts = [HEAD + _text(f"Generic netlink family `{spec.name}`. {spec.doc}") + TOOL]
    parts.append(_operations(spec))
    parts += [_operation(spec, it) for it in spec.operations]
    parts.append("## Attributes\n")
    parts += [_set(it) for it in spec.sets.values()]
    parts.append("## Enumerations\n")
    for it in spec.enums.values():
        rows = [[str(entry.value), f"`{entry.name}`", entry.doc] for entry in it.entries]
        table = _table(["number", "name", "meaning"], rows)
        parts.append(f"### {it.name}\n\n{_text(it.doc)}\n{table}")
    rows = [[f"`{it.name}`", str(it.value), it.doc] for it in spec.consts]
    parts.append("## Limits\n\n" + _table(["name", "value", "meaning"], rows))
    return "\n".join(parts)


def _text(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(row) + " |\n" for row in lines)


def _link(kind: str, name: str) -> str:
    return f"[{name}](#{kind}{name})"


def _operations(spec: Spec) -> str:
    rows = []
    guarded = {it.name for it in spec.groups if it.admin}
    for it in spec.operations:
        how = f"to group `{it.group}`" if it.group else " and ".join(it.modes)
        needs = "CAP_NET_ADMIN" if it.admin else ""
        if it.group:
            needs = "CAP_NET_ADMIN to join" if it.group in guarded else ""
        rows.append([str(it.value), _link("", it.name), how, needs, it.doc])
    text = "The capability is needed in the user namespace that owns the network namespace."
    return f"## Operations\n\n{text}\n\n" + _table(["number", "name", "how", "needs", "what it does"], rows)


def _operation(spec: Spec, it: Operation) -> str:
    parts = [f"{it.doc} Attributes of {_link('attributes-of-', it.set)}."]
    if it.request:
        parts.append(f"Request: {_names(it.request)}.")
    if it.reply is not None:
        parts.append(f"{'Notification' if it.group else 'Reply'}: {_names(it.reply)}.")
    return f"### {it.name}\n\n" + "\n".join(_text(part) for part in parts)


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type(attribute: Attribute) -> str:
    text = f"{attribute.type}, repeated" if attribute.multi else attribute.type
    if attribute.enum:
        text += f", [{attribute.enum}](#{attribute.enum})"
    if attribute.nested:
        text += f", {_link('attributes-of-', attribute.nested)}"
    return text


def _checks(attribute: Attribute) -> str:
    checks = attribute.checks
    if "exact-len" in checks:
        return f"{checks['exact-len']} bytes"
    if attribute.hint == "ipv4-or-v6":
        return "4 or 16 bytes"
    if "min-len" in checks:
        return f"{checks['min-len']} to {checks['max-len']} bytes"
    if "max-len" in checks:
        return f"at most {checks['max-len']} bytes"
    if "min" in checks and "max" in checks:
        return f"{checks['min']} to {checks['max']}"
    if "min" in checks:
        return f"from {checks['min']}"
    return f"to {checks['max']}" if "max" in checks else ""


def _set(it: Set) -> str:
    if it.base:
        names = _names(list(it.attributes))
        text = _text(f"{it.doc} Attributes of {_link('attributes-of-', it.base)}: {names}.")
        return f"### Attributes of {it.name}\n\n{text}"
    rows = [
        [str(a.value), f"`{a.name}`", _type(a), _checks(a), a.doc] for a in it.attributes.values()
    ]
    table = _table(["number", "name", "type", "bounds", "meaning"], rows)
    return f"### Attributes of {it.name}\n\n{_text(it.doc)}\n{table}"
