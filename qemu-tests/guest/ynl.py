#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Drives the family with the kernel tree's own netlink library (tools/net/ynl), by the specification alone.

ynl.py SPEC KEY-FILE IFNAME VIP CLIENT: makes host 1 of a cluster whose host 2 is there, and
does everything to it. Prints "ok TEXT" or "not ok TEXT" for each result, and "end" at last.
"""

import base64
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# pylint: disable=wrong-import-position
from lib import NlError, YnlFamily

# Types of the specification as the kernel names them in a policy.
POLICY_TYPES = {"string": "nul-string", "nest": "nested"}

# The greatest value of each integer.
INTEGERS = {f"u{bits}": (1 << bits) - 1 for bits in (8, 16, 32, 64)}


def check(text: str, holds: bool, seen: object = None) -> None:
    """One result; what was seen is told when it is wrong."""
    print(f"ok {text}" if holds else f"not ok {text}: {seen}", flush=True)


class Family:
    """The family, with a record of what was asked and whether replies are as they are listed."""

    def __init__(self, path: str) -> None:
        self.ynl = YnlFamily(path, schema="")
        self.spec = self.ynl.yaml
        self.driven: set[tuple[str, str]] = set()
        self.sent: dict[str, set[str]] = {}
        self.unlisted: set[tuple[str, str]] = set()

    def listed(self, name: str, mode: str) -> list[str]:
        """The attributes that a reply or a notification may have."""
        raw = self.ynl.msgs[name].yaml[mode]
        return raw["attributes"] if mode == "event" else raw.get("reply", {}).get("attributes", [])

    def seen(self, name: str, mode: str, message: dict) -> None:
        """Record a message."""
        self.driven.add((name, mode))
        self.sent.setdefault(name, set()).update(message)
        self.unlisted |= {(name, it) for it in message if it not in self.listed(name, mode)}

    def do(self, name: str, attributes: dict) -> dict:
        """A request, and its reply; nothing where there is none."""
        reply = self.ynl.do(name, attributes) or {}
        self.seen(name, "do", reply)
        return reply

    def dump(self, name: str, attributes: dict) -> list[dict]:
        """A dump."""
        replies = self.ynl.dump(name, attributes) or []
        for reply in replies if isinstance(replies, list) else [replies]:
            self.seen(name, "dump", reply)
        return replies if isinstance(replies, list) else [replies]

    def refused(self, text: str, name: str, attributes: dict, at: str) -> None:
        """A result: the request is refused, with the name of the attribute at fault."""
        try:
            self.ynl.do(name, attributes)
            check(text, False, "it was not refused")
        except NlError as error:
            extack = error.nl_msg.extack or {}
            check(text, extack.get("bad-attr") == at and "msg" in extack, error)

    def policies(self) -> None:
        """A result for each operation: the kernel's policy is what the specification says."""
        for name, op in self.ynl.ops.items():
            requests = [op.yaml[mode].get("request", {}) for mode in ("do", "dump") if mode in op.yaml]
            # One policy holds for both modes.
            allowed = {it for request in requests for it in request.get("attributes", [])}
            wanted = self.policy({it: op.attr_set[it] for it in allowed})
            for mode in ("do", "dump"):
                policy = self.ynl.get_policy(name, mode)
                if mode not in op.yaml:
                    check(f"{name}: there is no {mode}", policy is None, policy)
                    continue
                found = policy.to_dict()
                found = found.get("policy", found)
                check(f"{name} {mode}: the policy", found == wanted, (found, wanted))

    def policy(self, attributes: dict) -> dict:
        """What the policy of these attributes has to be."""
        return {name: self.rule(attribute) for name, attribute in attributes.items()}

    def rule(self, attribute) -> dict:
        """What the policy of an attribute has to be."""
        checks = attribute.yaml.get("checks", {})
        rule = {"type": POLICY_TYPES.get(attribute.type, attribute.type)}
        if attribute.type in INTEGERS:
            # Ranges are checked by the module.
            rule |= {"min-value": 0, "max-value": INTEGERS[attribute.type]}
        for end in ("min", "max"):
            limit = checks.get(f"{end}-len", checks.get("exact-len"))
            if limit is not None:
                rule[f"{end}-length"] = limit if isinstance(limit, int) else self.ynl.consts[limit]["value"]
        if attribute.type == "nest":
            nested = self.ynl.attr_sets[attribute.yaml["nested-attributes"]]
            rule["policy"] = self.policy(dict(nested.items()))
        return rule


def wait(seconds: float, holds) -> bool:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def listen(path: str, group: str) -> YnlFamily:
    """A socket of its own in a group."""
    ynl = YnlFamily(path, schema="")
    ynl.ntf_subscribe(group)
    return ynl


def told(family: Family, listener: YnlFamily, seconds: float, enough) -> list[dict]:
    """Notifications, until they are enough."""
    messages = []
    end = time.monotonic() + seconds
    while not enough(messages) and time.monotonic() < end:
        for it in listener.poll_ntf(duration=0.2):
            family.seen(it["name"], "event", it["msg"])
            messages.append(it["msg"])
    return messages


def secrets(path: str) -> dict[str, bytes]:
    """What a key file of nlbadm has."""
    lines = (line.split(maxsplit=1) for line in pathlib.Path(path).read_text().splitlines())
    return {it[0]: base64.b64decode(it[1]) for it in lines if it and it[0] in ("key", "seed")}


def make(family: Family, dev: dict, vip: str, keys: dict[str, bytes]) -> None:
    """Host 1, as nlbadm makes host 2, with its rule in full."""
    rule = {
        "protocols": "both",
        "first-port": 0,
        "last-port": 65535,
        "mode": "multiple",
        "affinity": "none",
        "prefix-v4": 24,
        "prefix-v6": 64,
        "track": "quic",
        "state": "enabled",
    }
    request = dev | {
        "name": "test",
        "host-id": 1,
        "mode": "multicast",
        "vip": [vip],
        "dedicated-ip": "10.0.0.1",
        "period-ms": 200,
        "tolerance": 5,
        "key": keys["key"],
        "key-id": 1,
        "hash-seed": keys["seed"],
        "weight": 50,
        "rule": [rule],
        "allow-other-interfaces": True,
        "echo": "default-host",
        "responder": "default-host",
        "sessions-max": 1000,
    }
    wrong = request | {"rule": [rule | {"weight": 101}]}
    family.refused("a rule's weight of 101 is refused", "cluster-new", wrong, ".rule.weight")
    family.do("cluster-new", request)
    family.do("cluster-set", dev | {"control": "start"})


def observe(family: Family, dev: dict, vip: str, client: str) -> None:
    """Everything that can be read."""
    cluster = family.do("cluster-get", dev)
    check("cluster-get: the interface", cluster["ifindex"] == dev["ifindex"], cluster)
    check("cluster-get: the VIPs", cluster["vip"] == [vip], cluster)
    check("cluster-get: the mode by name", cluster["mode"] == "multicast", cluster)
    check("cluster-get: the virtual MAC", cluster["virtual-mac"] == "03:bf:0a:00:00:0a", cluster)
    check("cluster-get: a flag", cluster["allow-other-interfaces"] is True, cluster)
    check("cluster-get: both are members", cluster["members"] == 3, cluster)
    check("cluster-get: one rule", cluster["rules"] == 1, cluster)
    dumped = family.dump("cluster-get", {})
    check("cluster-get as a dump has the same", [set(it) for it in dumped] == [set(cluster)], dumped)
    members = family.dump("member-get", dev)
    check("member-get: hosts 1 and 2", [it["host-id"] for it in members] == [1, 2], members)
    check("member-get: host 1 is this one", ["self" in it for it in members] == [True, False], members)
    flow = {"client": client, "client-port": 4711, "vip": vip, "vip-port": 80, "protocol": 6}
    owner = family.do("owner-get", dev | flow)
    check("owner-get: the flow is told again", {it: owner[it] for it in flow} == flow, owner)
    maps = [it for it in family.dump("bucket-get", dev) if "owners" in it]
    # The rule's, and that of what no rule covers.
    check("bucket-get: two maps of 4096 buckets", sum(len(it["owners"]) for it in maps) == 2 * 4096, maps)
    owners = b"".join(it["owners"] for it in maps if it["slot"] == owner["rule"])
    check("bucket-get and owner-get agree", owners[owner["bucket"]] == owner["owner"], owner)
    for rule in ({}, {"rule": 0}):
        counters = family.dump("counter-get", dev | rule)
        complete = all("name" in it and "value" in it for it in counters)
        check(f"counter-get {rule}: names and values", complete and len(counters) > 10, counters)
    history = family.dump("history-get", dev)
    check("history-get: a join or a cold start", history[-1]["cause"] in ("joined", "cold-start"), history)


def change(family: Family, dev: dict, vip: str) -> None:
    """Everything that can be changed."""
    family.do("key-set", dev | {"id": 2, "key": bytes(range(32))})
    keys = {it["id"]: it.get("send", False) for it in family.dump("key-get", dev)}
    check("key-get: two keys, one to send with", keys == {1: True, 2: False}, keys)
    family.do("key-del", dev | {"id": 2})
    check("key-del: one key", [it["id"] for it in family.dump("key-get", dev)] == [1])
    family.do("rule-control", dev | {"number": 0, "weight": 40, "state": "enabled"})
    rules = family.dump("rule-get", dev)
    check("rule-control: a weight", [it.get("weight") for it in rules] == [40], rules)
    now = family.do("cluster-get", dev)["tolerance"]
    family.do("settings-set", dev | {"tolerance": now + 1})
    check("settings-set: it waits for host 2", family.do("cluster-get", dev).get("staged-tolerance") == now + 1)
    family.do("settings-set", dev | {"tolerance": now})
    check("settings-set: and is withdrawn", "staged-tolerance" not in family.do("cluster-get", dev))
    web = {"vip": vip, "protocols": "tcp", "first-port": 80, "last-port": 80, "track": "off", "priority": 3}
    family.do("rule-set", dev | {"rule": [web]})
    rules = family.dump("rule-get", dev)
    waits = [it.get("pending", False) for it in rules]
    check("rule-set: the rule waits for host 2", waits == [False, True], rules)
    check("rule-get: a number by the name off", rules[-1]["track"] == "off", rules)
    family.refused("what no policy has is refused", "cluster-set", dev | {"host-id": 3}, ".host-id")
    family.do("cluster-set", dev | {"sessions-max": 2000})
    check("cluster-set: a limit", family.do("cluster-get", dev)["sessions-max"] == 2000)


def main(spec: str, key_file: str, ifname: str, vip: str, client: str) -> None:
    """All of it."""
    family = Family(spec)
    events, relay = listen(spec, "events"), listen(spec, "relay")
    dev = {"ifindex": socket.if_nametoindex(ifname)}
    family.policies()
    make(family, dev, vip, secrets(key_file))
    check("host 1 converges", wait(30, lambda: family.do("cluster-get", dev).get("members") == 3))
    heartbeats = told(family, relay, 10, lambda messages: messages)
    check("heartbeats are handed out", bool(heartbeats))
    family.do("heartbeat-in", dev | {"frame": heartbeats[0]["frame"]})
    observe(family, dev, vip, client)
    change(family, dev, vip)
    family.do("cluster-set", dev | {"control": "drainstop", "drain-timeout-s": 1})
    check("host 1 stops", wait(30, lambda: family.do("cluster-get", dev)["state"] == "stopped"))
    family.do("cluster-del", dev)
    wanted = {"cluster-new", "state", "converged", "default-host", "drained", "cluster-del"}
    kinds = told(family, events, 10, lambda messages: wanted <= {it["kind"] for it in messages})
    kinds = {it["kind"] for it in kinds}
    check("events of each kind that this makes", wanted <= kinds, kinds)
    modes = {(name, mode) for name, op in family.ynl.msgs.items() for mode in op.modes}
    check("every operation was driven", family.driven == modes, modes - family.driven)
    check("no reply has what its list lacks", not family.unlisted, family.unlisted)
    for name, sent in family.sent.items():
        mode = "event" if "event" in family.ynl.msgs[name].modes else min(family.ynl.msgs[name].modes)
        absent = sorted(set(family.listed(name, mode)) - sent)
        if absent:
            print(f"{name} did not have: {' '.join(absent)}")
    print("end")


if __name__ == "__main__":
    main(*sys.argv[1:])
