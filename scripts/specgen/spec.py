# SPDX-License-Identifier: GPL-2.0-only
"""The netlink specification as objects, checked beyond what the kernel's schema checks."""

import dataclasses
import pathlib

import yaml


class SpecError(Exception):
    """The specification contradicts itself."""


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise SpecError(text)


def _sentence(text: str) -> str:
    return " ".join(text.split())


@dataclasses.dataclass
class Entry:
    """A value of an enumeration."""

    name: str
    value: int
    doc: str


@dataclasses.dataclass
class Enum:
    """An enumeration."""

    name: str
    doc: str
    entries: list[Entry]


@dataclasses.dataclass
class Const:
    """A limit."""

    name: str
    value: int
    doc: str


@dataclasses.dataclass
class Attribute:
    """An attribute of a set."""

    name: str
    value: int
    type: str
    doc: str
    enum: str | None
    nested: str | None
    # The set in whose type the nested attributes are told: that which `nested` is a subset of.
    nested_base: str | None
    multi: bool
    hint: str | None
    checks: dict

    def lengths(self) -> tuple[int | str | None, int | str | None]:
        """The least and the most bytes of its payload, as numbers or names of limits."""
        exact = self.checks.get("exact-len")
        return (self.checks.get("min-len", exact), self.checks.get("max-len", exact))


@dataclasses.dataclass
class Set:
    """A set of attributes; a subset of another one if `base` says which."""

    name: str
    doc: str
    base: str | None
    attributes: dict[str, Attribute]


@dataclasses.dataclass
class Operation:
    """A command; what a request, a reply or a notification may have is None where there is none."""

    name: str
    value: int
    doc: str
    set: str
    admin: bool
    group: str | None
    modes: list[str]
    request: list[str]
    reply: list[str] | None


@dataclasses.dataclass
class Group:
    """A multicast group."""

    name: str
    admin: bool


@dataclasses.dataclass
class Spec:
    """The specification."""

    name: str
    doc: str
    consts: list[Const]
    enums: dict[str, Enum]
    sets: dict[str, Set]
    operations: list[Operation]
    groups: list[Group]

    @classmethod
    def load(cls, path: pathlib.Path) -> "Spec":
        """Read it. Raises SpecError."""
        raw = yaml.safe_load(path.read_text())
        definitions = raw["definitions"]
        spec = cls(
            name=raw["name"],
            doc=_sentence(raw["doc"]),
            consts=[
                Const(it["name"], it["value"], _sentence(it["doc"]))
                for it in definitions
                if it["type"] == "const"
            ],
            enums={it["name"]: _enum(it) for it in definitions if it["type"] == "enum"},
            sets={},
            operations=[_operation(it) for it in raw["operations"]["list"]],
            groups=[Group(it["name"], "flags" in it) for it in raw["mcast-groups"]["list"]],
        )
        for it in raw["attribute-sets"]:
            spec.sets[it["name"]] = _set(spec, it)
        _check(spec)
        return spec

    def full_sets(self) -> list[Set]:
        """The sets that are no subsets."""
        return [it for it in self.sets.values() if it.base is None]

    def subsets(self) -> list[Set]:
        """The others."""
        return [it for it in self.sets.values() if it.base is not None]

    def attributes(self, operation: Operation, names: list[str]) -> list[Attribute]:
        """Attributes of the set of an operation."""
        return [self.sets[operation.set].attributes[name] for name in names]

    def replying(self) -> list[Operation]:
        """The operations with a reply, and the notifications."""
        return [it for it in self.operations if it.reply is not None]


def _enum(raw: dict) -> Enum:
    # An unquoted "on" or "off" is a boolean in YAML 1.1.
    for it in raw["entries"]:
        _require(isinstance(it["name"], str), f"{raw['name']}: {it['name']} is no string: quote it")
    entries = [Entry(it["name"], it["value"], _sentence(it["doc"])) for it in raw["entries"]]
    values = [it.value for it in entries]
    _require(values == sorted(set(values)), f"the numbers of {raw['name']} are not in order")
    return Enum(raw["name"], _sentence(raw["doc"]), entries)


def _set(spec: Spec, raw: dict) -> Set:
    base = raw.get("subset-of")
    attributes = {}
    for it in raw["attributes"]:
        if base is not None:
            attributes[it["name"]] = spec.sets[base].attributes[it["name"]]
            continue
        attributes[it["name"]] = Attribute(
            name=it["name"],
            value=it["value"],
            type=it["type"],
            doc=_sentence(it["doc"]),
            enum=it.get("enum"),
            nested=it.get("nested-attributes"),
            nested_base=None,
            multi=it.get("multi-attr", False),
            hint=it.get("display-hint"),
            checks=it.get("checks", {}),
        )
    _require(len(attributes) == len(raw["attributes"]), f"{raw['name']} names an attribute twice")
    return Set(raw["name"], _sentence(raw["doc"]), base, attributes)


def _operation(raw: dict) -> Operation:
    name = raw["name"]
    modes = [mode for mode in ("do", "dump", "event") if mode in raw]
    request, replies = [], []
    for mode in ("do", "dump"):
        exchange = raw.get(mode, {})
        for attribute in exchange.get("request", {}).get("attributes", []):
            if attribute not in request:
                request.append(attribute)
        if "reply" in exchange:
            replies.append(exchange["reply"]["attributes"])
    if "event" in raw:
        replies.append(raw["event"]["attributes"])
    # One function of the module writes both.
    _require(
        all(reply == replies[0] for reply in replies), f"{name}: do and dump have other replies"
    )
    is_event = modes == ["event"]
    _require(is_event or "event" not in modes, f"{name} is a notification and more")
    _require(is_event == name.endswith("-ntf"), f"{name}: what ends in -ntf is a notification")
    _require(is_event == ("mcgrp" in raw), f"{name}: a notification has a group")
    return Operation(
        name=name,
        value=raw["value"],
        doc=_sentence(raw["doc"]),
        set=raw["attribute-set"],
        admin="uns-admin-perm" in raw.get("flags", []),
        group=raw.get("mcgrp"),
        modes=modes,
        request=request,
        reply=replies[0] if replies else None,
    )


def _check(spec: Spec) -> None:
    limits = {it.name for it in spec.consts}
    for it in spec.full_sets():
        values = [attribute.value for attribute in it.attributes.values()]
        wanted = list(range(1, len(values) + 1))
        _require(values == wanted, f"the numbers of {it.name} are not 1 to {len(values)} in order")
        for attribute in it.attributes.values():
            where = f"{it.name}.{attribute.name}"
            _require(attribute.enum is None or attribute.enum in spec.enums, f"{where}: no such enum")
            nested = attribute.nested
            _require((attribute.type == "nest") == (nested in spec.sets), f"{where}: no such set")
            if nested is not None:
                attribute.nested_base = spec.sets[nested].base or nested
            for limit in attribute.checks.values():
                _require(isinstance(limit, int) or limit in limits, f"{where}: no limit {limit}")
            if attribute.type == "binary":
                _require(None not in attribute.lengths(), f"{where}: its lengths are missing")
    values = [it.value for it in spec.operations]
    _require(values == sorted(set(values)), "the numbers of operations are not in order")
    groups = {it.name for it in spec.groups}
    for it in spec.operations:
        _require(it.group is None or it.group in groups, f"{it.name}: no such group")
        for name in it.request + (it.reply or []):
            known = spec.sets[it.set].attributes
            _require(name in known, f"{it.name}: {it.set} has no {name}")
