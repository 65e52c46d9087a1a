# SPDX-License-Identifier: GPL-2.0-only
"""docs/security.md says of each operation who may do it, as the specification does."""

from .spec import Spec


def differences(spec: Spec, text: str) -> list[str]:
    """What the two say differently: a line for each operation."""
    _, found, rest = text.partition("| operation |")
    if not found:
        return ["docs/security.md: there is no table of operations"]
    rows = [line for line in rest.splitlines() if line.startswith("| `")]
    told = {row.split("`")[1]: row.endswith("| no |") for row in rows}
    needed = {it.name: it.admin for it in spec.operations if it.modes != ["event"]}
    needed |= {f"group {it.name}": it.admin for it in spec.groups}
    return [
        f"docs/security.md says otherwise: {name} {'needs' if admin else 'does not need'} CAP_NET_ADMIN"
        for name, admin in needed.items()
        if told.get(name) != admin
    ]
