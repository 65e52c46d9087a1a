#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Golden packets: frames and what must become of them.

This is a second implementation of the packet decision, written from the design and not from the core, so that
a mistake has to be made twice to stay unseen. It prints a table of frames with verdict and reason; the tests run
the same table against the core natively and against the real hook in a guest.

Lines of the table, fields separated by blanks:

  cluster ID mode=M echo=E spread=default|N seed=HEX vip=A…
         rule=VIP/PROTO/FIRST-LAST/MODE/AFFINITY/P4/P6/TRACK/STATE…
  packet ID cluster=ID owner=all|none|lower moved=yes|no others=yes|no default=yes|no [after=HEX…] frame=HEX
         [session=CLIENT/PORT/VIP/PORT] [witness=CLIENT/PORT/VIP/PORT]
         verdict=pass|accept|drop|ask|neighbour reason=R|- rule=N|- [known=R unknown=R] [nd=ACTION,R] [reply=HEX]

`spread`: the slot of the map for traffic without ports. `owner=lower`: this host owns the lower half of the buckets.
`default`: it is the default host. `after`: frames that came before. A question is asked of a table of the host's; `known` and `unknown` are the
reasons of the verdicts that the two answers lead to; `session` is the TCP connection that makes it known, `witness`
another one of the same bucket.
The NIC's own MAC is 52:54:00:00:00:01.
"""

import ipaddress
import itertools
import struct
import sys

from decision import OWN, Cluster, Host, Rule, decide_after
from frames import (BROADCAST, C4, C6, CLIENT_MAC, OTHER_MAC, V4, V4B, V6, V6B, ethernet, extension, fragment6,
                    fragments, icmp, icmp_error, ip, ip4, ip6, neighbour6, sctp, tcp, udp)

SYN, ACK, FIN, RST, PSH = 0x02, 0x10, 0x01, 0x04, 0x08

PLAIN = Cluster("plain", [V4, V6], [Rule((0, 65535), affinity="none")])
SINGLE = Cluster("single", [V4, V6], [Rule((0, 65535), affinity="single")], echo="all")
RULES = Cluster("rules", [V4, V4B, V6, V6B], [
    Rule((80, 80), proto="tcp", affinity="none"),
    Rule((443, 443), affinity="network"),
    Rule((1, 79), vip=V4, affinity="single"),
    Rule((1000, 1699), affinity="network", p4=16, p6=48, track="on"),
    Rule((2000, 2999), mode="disabled"),
    Rule((3000, 3100), state="disabled"),
    Rule((4000, 4499), mode="single"),
    Rule((500, 500)),
    Rule((1723, 1723), proto="tcp"),
    Rule((60000, 65535), vip=V6B, affinity="none", track="off"),
    Rule((5000, 5009), proto="udp", affinity="none"),
], echo="drop")
SPREAD = Cluster("spread", [V4, V6], [Rule((0, 65535))], echo="hash")
UNCOVERED = Cluster("uncovered", [V4, V6], [Rule((9, 9), proto="tcp")])
UNICAST = Cluster("unicast", [V4], [Rule((0, 65535))], mode="unicast")
V4_ONLY = Cluster("v4-only", [V4], [Rule((0, 65535))], mode="igmp")

OWNER, NOT_OWNER, LOWER = Host("all"), Host("none"), Host("lower")
MOVED_IN = Host("all", moved=True, others=True)
SETTLED_IN = Host("all", moved=True, others=False)
MOVED_OUT = Host("none", moved=True)


class Table:
    def __init__(self):
        self.lines, self.names = [], set()

    def add(self, name, cluster, host, l3, to=None, ethertype=None, vlan=None, after=()):
        if ethertype is None:
            ethertype = 0x86DD if l3[:1] and l3[0] >> 4 == 6 else 0x0800
        frame = ethernet(l3, ethertype, to or cluster.mac, vlan=vlan)
        assert name not in self.names, name
        self.names.add(name)
        earlier = [ethernet(one, ethertype, to or cluster.mac) for one in after]
        done = decide_after(cluster, host, earlier, frame)
        after = "".join(f" after={one.hex()}" for one in earlier)
        self.lines.append(f"packet {name} cluster={cluster.name} {host.text()}{after} frame={frame.hex()}"
                          f"{done.sessions} {done.text()}")

    def hosts(self, name, cluster, l3, hosts=None):
        hosts = hosts or (("owner", OWNER), ("not-owner", NOT_OWNER), ("lower", LOWER), ("moved-in", MOVED_IN),
                          ("settled-in", SETTLED_IN), ("moved-out", MOVED_OUT))
        for suffix, host in hosts:
            self.add(f"{name}/{suffix}", cluster, host, l3)


def both_families():
    return (("v4", C4, V4), ("v6", C6, V6))


def add_transports(table):
    for family, client, vip in both_families():
        segments = {"syn": SYN, "ack": ACK, "data": ACK | PSH, "fin": FIN | ACK, "rst": RST, "syn-ack": SYN | ACK,
                    "rst-ack": RST | ACK, "null": 0, "syn-rst": SYN | RST}
        for name, flags in segments.items():
            table.hosts(f"{family}/tcp-{name}", PLAIN, ip(client, vip, 6, tcp(40000, 80, flags)))
        table.hosts(f"{family}/udp", PLAIN, ip(client, vip, 17, udp(40000, 53)))
        table.hosts(f"{family}/udplite", PLAIN, ip(client, vip, 136, udp(40000, 53)))
        table.hosts(f"{family}/sctp-init", PLAIN, ip(client, vip, 132, sctp(40000, 80, 1)))
        table.hosts(f"{family}/sctp-data", PLAIN, ip(client, vip, 132, sctp(40000, 80, 0)))
        for protocol in (4, 41, 59, 89, 103, 200):
            table.hosts(f"{family}/protocol-{protocol}", PLAIN, ip(client, vip, protocol, b"whatever"),
                        (("default", OWNER), ("other", NOT_OWNER)))


def add_affinities(table):
    for family, client, vip in both_families():
        network = ipaddress.ip_address(client)
        for cluster, port in ((PLAIN, 80), (SINGLE, 80), (RULES, 80), (RULES, 443), (RULES, 1500)):
            protocol, make = (17, udp) if port == 1500 else (6, lambda s, d: tcp(s, d, SYN))
            for step in range(4):
                table.add(f"{family}/{cluster.name}-{port}-client-{step}", cluster, LOWER,
                          ip(network + step, vip, protocol, make(40000, port)))
                table.add(f"{family}/{cluster.name}-{port}-port-{step}", cluster, LOWER,
                          ip(network, vip, protocol, make(50000 + step, port)))
                table.add(f"{family}/{cluster.name}-{port}-network-{step}", cluster, LOWER,
                          ip(network + (step << (16 if family == "v4" else 72)), vip, protocol, make(40000, port)))


def add_rules(table):
    edges = (1, 79, 80, 81, 255, 256, 442, 443, 444, 500, 999, 1000, 1699, 1999, 2000, 2999, 3000, 3100, 3101, 3999, 4000,
             4499, 4500, 4999, 5000, 5009, 5010, 59999, 60000, 65535)
    for family, client, vips in (("v4", C4, (V4, V4B)), ("v6", C6, (V6, V6B))):
        for at, vip in enumerate(vips):
            for port in edges:
                for name, protocol, data in (("tcp", 6, tcp(40000, port, SYN)), ("udp", 17, udp(40000, port))):
                    table.add(f"{family}/rules-vip{at}-{name}-{port}", RULES, OWNER, ip(client, vip, protocol, data))
    for family, client, vip in both_families():
        table.hosts(f"{family}/no-rule", UNCOVERED, ip(client, vip, 6, tcp(40000, 80, SYN)))
        table.hosts(f"{family}/no-rule-ack", UNCOVERED, ip(client, vip, 6, tcp(40000, 80, ACK)))


def add_sessions(table):
    long_, short = b"\xc0\0\0\0\1", b"\x40" + bytes(8)
    handshake, version_2 = b"\xe0\0\0\0\1", b"\xe0\x6b\x33\x43\xcf"
    ike_first, ike_later = b"12345678" + bytes(20), b"12345678abcdefgh" + bytes(12)
    l2tp_first, l2tp_later, l2tp_data = b"\xc8\2\0\x14\0\0\0\0", b"\xc8\2\0\x14\0\7\0\0", b"\0\2\0\7\0\1"
    payloads = (("quic-initial", 443, long_), ("quic-short", 443, short), ("quic-handshake", 443, handshake),
                ("quic-v2", 443, version_2), ("quic-no-fixed-bit", 443, b"\0abc"), ("quic-empty", 443, b""),
                ("ike-first", 500, ike_first), ("ike-later", 500, ike_later), ("ike-short", 500, b"ike"),
                ("nat-t-ike-first", 4500, bytes(4) + ike_first), ("nat-t-ike-later", 4500, bytes(4) + ike_later),
                ("nat-t-esp", 4500, b"\0\0\1\2esp"), ("nat-t-keepalive", 4500, b"\xff"),
                ("l2tp-first", 1701, l2tp_first), ("l2tp-later", 1701, l2tp_later), ("l2tp-data", 1701, l2tp_data),
                ("l2tp-short", 1701, b"\xc8"), ("tracked", 1200, b"game"), ("untracked", 53, b"dns"))
    for family, client, vip in both_families():
        # Each has a client of its own: what one leaves in a host's tables must not answer for another.
        clients = map(str, (ipaddress.ip_address(client) + step for step in range(16, 64)))
        for (name, port, data), client in zip(payloads, clients):
            packet = ip(client, vip, 17, udp(40000, port, data))
            table.hosts(f"{family}/session-{name}", RULES, packet)
            table.add(f"{family}/session-{name}-padded", RULES, MOVED_OUT, packet + bytes(30))
        for (name, protocol), client in zip((("gre", 47), ("esp", 50), ("ah", 51)), clients):
            table.hosts(f"{family}/tunnel-{name}", RULES, ip(client, vip, protocol, bytes(16)))
            table.hosts(f"{family}/tunnel-{name}-affinity-none", PLAIN, ip(client, vip, protocol, bytes(16)))
            table.add(f"{family}/tunnel-{name}-no-rule", UNCOVERED, NOT_OWNER, ip(client, vip, protocol, bytes(16)))
        for port in (500, 1701, 4500):
            table.add(f"{family}/control-udp-{port}-affinity-none", PLAIN, LOWER, ip(client, vip, 17, udp(40001, port)))
        table.add(f"{family}/control-pptp-affinity-none", PLAIN, LOWER, ip(client, vip, 6, tcp(40001, 1723, SYN)))


def add_fragments(table):
    more, first = 0x2000, tcp(40000, 80, ACK) + bytes(12)
    for name, protocol, data, flags in (
            ("tcp-first", 6, first, more), ("udp-first", 17, udp(40000, 53, bytes(24)), more),
            ("tcp-first-8-bytes", 6, first[:8], more), ("tcp-first-16-bytes", 6, first[:16], more),
            ("udp-first-short", 17, b"\0\1", more), ("tcp-offset-8", 6, bytes(32), more | 1),
            ("tcp-offset-16", 6, bytes(32), more | 2), ("udp-offset-8", 17, bytes(32), more | 1),
            ("udp-last", 17, bytes(9), 185), ("icmp-last", 1, bytes(9), 185), ("unknown-first", 200, b"", more)):
        table.hosts(f"v4/fragment-{name}", PLAIN, ip4(C4, V4, protocol, data, flags=flags))
    table.hosts("v4/fragment-echo-first", PLAIN, ip4(C4, V4, 1, icmp(8, bytes(32)), flags=more))
    for name, protocol, data, offset, rest in (
            ("tcp-first", 6, first, 0, 1), ("udp-first", 17, udp(40000, 53, bytes(24)), 0, 1),
            ("tcp-first-8-bytes", 6, first[:8], 0, 1), ("tcp-offset-8", 6, bytes(32), 8, 1),
            ("udp-last", 17, bytes(9), 1480, 0), ("atomic-tcp", 6, tcp(40000, 80, ACK), 0, 0),
            ("atomic-udp", 17, udp(40000, 53), 0, 0), ("icmp-last", 58, bytes(9), 1480, 0)):
        table.hosts(f"v6/fragment-{name}", PLAIN, ip6(C6, V6, 44, fragment6(protocol, offset, rest) + data))


def add_later_fragments(table):
    """Later fragments follow the first one, in any order after it; without it they are passed."""
    owners = (("owner", OWNER), ("not-owner", NOT_OWNER), ("lower", LOWER))
    idents = itertools.count(5000, 10)
    for family, client, vip in both_families():
        echo = (1, icmp(8, bytes(64))) if family == "v4" else (58, icmp(128, bytes(64)))
        for name, protocol, data in (("udp", 17, udp(40000, 53, bytes(64))), ("udp-other", 17, udp(40003, 53, bytes(64))),
                                     ("tcp", 6, tcp(40000, 80, ACK, bytes(64))), ("sctp", 132, sctp(40000, 80, 0) + bytes(64)),
                                     ("echo", *echo), ("unknown", 200, bytes(72))):
            ident = next(idents)
            first, second, third, *_ = fragments(client, vip, protocol, data, 24, ident)
            other, *_ = fragments(client, vip, protocol, data, 24, ident + 1)
            neighbour = str(ipaddress.ip_address(client) + 1)
            foreign, *_ = fragments(neighbour, vip, protocol, data, 24, ident + 2)
            late = fragments(client, vip, protocol, data, 24, ident + 2)[2]
            for suffix, host in owners:
                table.add(f"{family}/later-{name}/{suffix}", PLAIN, host, second, after=[first])
                table.add(f"{family}/later-{name}-last-first/{suffix}", PLAIN, host, third, after=[other, first])
                table.add(f"{family}/later-{name}-of-another-client/{suffix}", PLAIN, host, late, after=[foreign])


def add_icmp(table):
    for family, client, vip in both_families():
        protocol, echo, reply = (1, 8, 0) if family == "v4" else (58, 128, 129)
        for cluster in (PLAIN, SINGLE, RULES, SPREAD):
            table.hosts(f"{family}/echo-{cluster.name}", cluster, ip(client, vip, protocol, icmp(echo)))
        table.hosts(f"{family}/echo-reply", PLAIN, ip(client, vip, protocol, icmp(reply)))
        table.hosts(f"{family}/icmp-unknown", PLAIN, ip(client, vip, protocol, icmp(200)))
        table.add(f"{family}/icmp-short", PLAIN, OWNER, ip(client, vip, protocol, b"\3\0\0\0"))
        table.add(f"{family}/icmp-of-the-other-family", PLAIN, OWNER, ip(client, vip, 59 - protocol, icmp(echo)))
        add_icmp_errors(table, family, client, vip, protocol)


def add_icmp_errors(table, family, client, vip, protocol):
    router = "203.0.113.1" if family == "v4" else "2001:db8:ffff::1"
    errors = {"v4": (3, 4, 5, 11, 12), "v6": (1, 2, 3, 4)}[family]
    quoted = {"tcp": ip(vip, client, 6, tcp(80, 40000, ACK)), "udp": ip(vip, client, 17, udp(53, 40000)),
              "sctp": ip(vip, client, 132, sctp(80, 40000, 0)), "gre": ip(vip, client, 47, bytes(8)),
              "esp": ip(vip, client, 50, bytes(8)), "unknown": ip(vip, client, 200, bytes(8)),
              "echo": ip(vip, client, protocol, icmp(0 if family == "v4" else 129))}
    for name, inner in quoted.items():
        table.hosts(f"{family}/error-{name}", PLAIN, ip(router, vip, protocol, icmp_error(errors[0], inner, 4)))
    for type_ in errors:
        table.add(f"{family}/error-type-{type_}", PLAIN, LOWER,
                  ip(router, vip, protocol, icmp_error(type_, quoted["tcp"])))
    header = 20 if family == "v4" else 40
    hostile = {
        "not-from-vip": ip(client, vip, 6, tcp(80, 40000, ACK)),
        "from-other-vip": ip(V4B if family == "v4" else V6B, client, 6, tcp(80, 40000, ACK)),
        "header-cut": quoted["tcp"][:header - 1], "empty": b"", "ports-cut": quoted["tcp"][:header + 3],
        "ports-only": quoted["tcp"][:header + 4], "eight-bytes": quoted["tcp"][:header + 8],
        "wrong-version": b"\x55" + quoted["tcp"][1:],
    }
    for name, inner in hostile.items():
        table.add(f"{family}/error-{name}", PLAIN, LOWER, ip(router, vip, protocol, icmp_error(errors[0], inner)))
    if family == "v4":
        later = ip4(vip, client, 17, bytes(16), flags=0x2001)
        options = ip4(vip, client, 6, tcp(80, 40000, ACK), options=b"\1\1\1\0")
        short = ip4(vip, client, 6, tcp(80, 40000, ACK), total=10)
        table.add("v4/error-total-length", PLAIN, LOWER, ip(router, vip, 1, icmp_error(3, short)))
    else:
        later = ip6(vip, client, 44, fragment6(17, 8, 1) + bytes(16))
        options = ip6(vip, client, 60, extension(6) + tcp(80, 40000, ACK))
        for name, size in (("64", 64), ("72", 72)):
            inner = ip6(vip, client, 60, extension(6, size) + tcp(80, 40000, ACK))
            table.add(f"v6/error-inner-extension-{name}", PLAIN, LOWER, ip(router, vip, 58, icmp_error(2, inner)))
    table.hosts(f"{family}/error-later-fragment", PLAIN, ip(router, vip, protocol, icmp_error(errors[0], later)))
    table.add(f"{family}/error-inner-options", PLAIN, LOWER, ip(router, vip, protocol, icmp_error(errors[0], options)))


def add_malformed(table):
    segment = tcp(40000, 80, SYN)
    good4, good6 = ip4(C4, V4, 6, segment), ip6(C6, V6, 6, segment)
    for size in (0, 1, 9, 16, 19, 20, 23, 24, 33, 39):
        table.add(f"v4/cut-{size}", PLAIN, OWNER, good4[:size], ethertype=0x0800)
    for size in (0, 1, 24, 39, 40, 43, 44, 53, 59):
        table.add(f"v6/cut-{size}", PLAIN, OWNER, good6[:size], ethertype=0x86DD)
    for first in (0x40, 0x44, 0x46, 0x4F, 0x55, 0x65, 0x05):
        table.add(f"v4/first-byte-{first:02x}", PLAIN, OWNER, ip4(C4, V4, 6, segment, first=first), ethertype=0x0800)
    for first in (0x40, 0x50, 0x70, 0x00):
        table.add(f"v6/first-byte-{first:02x}", PLAIN, OWNER, ip6(C6, V6, 6, segment, first=first), ethertype=0x86DD)
    for total in (0, 1, 19, 20, 21, 39, 40, 41, 65535):
        table.add(f"v4/total-{total}", PLAIN, OWNER, ip4(C4, V4, 6, segment, total=total))
    for payload in (0, 1, 19, 20, 21, 65535):
        table.add(f"v6/payload-{payload}", PLAIN, OWNER, ip6(C6, V6, 6, segment, payload=payload))
    table.add("v4/padding", PLAIN, LOWER, good4 + bytes(6))
    table.add("v6/padding", PLAIN, LOWER, good6 + bytes(6))
    for src in ("0.0.0.0", "0.1.2.3", "1.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.254",
                "255.255.255.255", V4):
        table.add(f"v4/source-{src}", PLAIN, OWNER, ip4(src, V4, 6, segment))
        table.add(f"v4/source-{src}-echo", PLAIN, OWNER, ip4(src, V4, 1, icmp(8)))
    for src in ("::", "::1", "::2", "::ffff:192.0.2.1", "64:ff9b::1", "ff02::1", "fe80::1", "fd00::1", V6):
        table.add(f"v6/source-{src}", PLAIN, OWNER, ip6(src, V6, 6, segment))
        table.add(f"v6/source-{src}-echo", PLAIN, OWNER, ip6(src, V6, 58, icmp(128)))
    for size in (0, 3, 7, 8):
        table.add(f"v4/udp-{size}-bytes", PLAIN, OWNER, ip4(C4, V4, 17, udp(40000, 53, b"")[:size]))
        table.add(f"v6/udp-{size}-bytes", PLAIN, OWNER, ip6(C6, V6, 17, udp(40000, 53, b"")[:size]))
    for size in (8, 11, 12):
        table.add(f"v4/sctp-{size}-bytes", PLAIN, MOVED_OUT, ip4(C4, V4, 132, sctp(40000, 80, 0)[:size]))


def add_headers(table):
    segment = tcp(40000, 80, SYN)
    for options in (b"\1\1\1\0", b"\x94\4\0\0", b"\x83\7\4" + bytes(4) + b"\0", bytes(40)):
        table.hosts(f"v4/options-{options.hex()}", PLAIN, ip4(C4, V4, 6, segment, options=options))
    chains = {
        "hop-by-hop": [0], "routing": [43], "destination": [60], "all": [0, 60, 43, 60], "hop-by-hop-twice": [0, 0],
        "hop-by-hop-late": [60, 0], "eight": [60] * 8, "nine": [60] * 9, "fragment-atomic": [44, 60],
    }
    for name, chain in chains.items():
        data = segment
        for this, following in reversed(list(zip(chain, chain[1:] + [6]))):
            data = (fragment6(following, 0, 0) if this == 44 else extension(following)) + data
        table.hosts(f"v6/chain-{name}", PLAIN, ip6(C6, V6, chain[0], data),
                    (("owner", OWNER), ("lower", LOWER), ("moved-out", MOVED_OUT)))
    for size in (64, 128, 136, 512):
        table.add(f"v6/extension-{size}", PLAIN, LOWER, ip6(C6, V6, 60, extension(6, size) + segment))
    table.add("v6/extension-beyond", PLAIN, LOWER, ip6(C6, V6, 60, bytes([6, 9]) + bytes(30)))
    table.add("v6/extension-cut", PLAIN, LOWER, ip6(C6, V6, 60, bytes([6, 0, 0])))
    table.add("v6/nothing-follows", PLAIN, OWNER, ip6(C6, V6, 59, b""))
    table.add("v6/jumbogram", PLAIN, OWNER, ip6(C6, V6, 0, b"\6\0\xc2\4\0\1\0\0" + segment, payload=0))
    table.add("v6/chain-to-icmp-error", PLAIN, LOWER, ip6(
        "2001:db8:ffff::1", V6, 60, extension(58) + icmp_error(2, ip6(V6, C6, 6, tcp(80, 40000, ACK)))))
    table.add("v6/chain-ah", PLAIN, LOWER, ip6(C6, V6, 60, extension(51) + bytes(24)))


def add_link(table):
    segment = tcp(40000, 80, SYN)
    packets = (("v4", ip4(C4, V4, 6, segment)), ("v6", ip6(C6, V6, 6, segment)))
    for family, packet in packets:
        for name, to in (("own-mac", OWN), ("broadcast", BROADCAST), ("group", b"\x01\x00\x5e\1\2\3"),
                         ("other-station", OTHER_MAC)):
            table.add(f"{family}/to-{name}", PLAIN, LOWER, packet, to=to)
        table.add(f"{family}/vlan", PLAIN, OWNER, packet, vlan=7)
        table.add(f"{family}/vlan-truncated", PLAIN, OWNER, packet[:17], vlan=7)
    table.add("v4/unicast-mode", UNICAST, OWNER, packets[0][1])
    table.add("v4/unicast-mode-own-mac", UNICAST, OWNER, packets[0][1], to=OWN)
    table.add("v4/unicast-mode-other-station", UNICAST, OWNER, packets[0][1], to=OTHER_MAC)
    table.add("v4/igmp-mode", V4_ONLY, LOWER, packets[0][1])
    table.add("v6/to-a-cluster-without", V4_ONLY, OWNER, packets[1][1])
    for dst in ("192.0.2.9", "192.0.2.1", "255.255.255.255", "224.0.0.1", "239.255.2.10", "0.0.0.0", "10.0.0.1"):
        table.add(f"v4/foreign-{dst}", PLAIN, OWNER, ip4(C4, dst, 17, udp(40000, 53)))
    for dst in ("2001:db8::9", "ff02::1", "fe80::10", "ff02::1:ff00:10", "::", "2001:db8::100"):
        table.add(f"v6/foreign-{dst}", PLAIN, OWNER, ip6(C6, dst, 17, udp(40000, 53)))
        table.add(f"v6/foreign-echo-{dst}", PLAIN, OWNER, ip6(C6, dst, 58, icmp(128)))
        table.add(f"v6/solicitation-to-{dst}", PLAIN, OWNER, ip6(C6, dst, 58, icmp(135, bytes(20)), hops=255))
    table.add("v6/solicitation-to-vip", PLAIN, OWNER, ip6(C6, V6, 58, icmp(135, bytes(20)), hops=255))
    table.add("v6/advertisement-to-vip", PLAIN, OWNER, ip6(C6, V6, 58, icmp(136, bytes(20)), hops=255))
    table.add("v6/solicitation-vlan", PLAIN, OWNER, ip6(C6, "ff02::1", 58, icmp(135, bytes(20))), vlan=7)
    for ethertype in (0x0805, 0x8847, 0x88CC, 0x9000):
        table.add(f"ethertype-{ethertype:04x}", PLAIN, OWNER, b"anything at all", to=OWN, ethertype=ethertype)


def add_arp(table):
    def arp(operation, sender_mac, sender, target, target_mac=bytes(6), head="000108000604"):
        return (bytes.fromhex(head) + struct.pack("!H", operation) + sender_mac + ipaddress.ip_address(sender).packed
                + target_mac + ipaddress.ip_address(target).packed)

    messages = {
        "request": arp(1, CLIENT_MAC, C4, V4), "probe": arp(1, CLIENT_MAC, "0.0.0.0", V4),
        "unicast-request": arp(1, CLIENT_MAC, C4, V4, PLAIN.mac), "foreign": arp(1, CLIENT_MAC, C4, "192.0.2.9"),
        "claim": arp(1, CLIENT_MAC, V4, V4), "claim-by-reply": arp(2, CLIENT_MAC, V4, C4, CLIENT_MAC),
        "claim-by-question": arp(1, CLIENT_MAC, V4, C4), "peer": arp(1, PLAIN.mac, V4, V4),
        "reply-to-vip": arp(2, CLIENT_MAC, C4, V4, OWN), "cut": arp(1, CLIENT_MAC, C4, V4)[:27],
        "not-ethernet": arp(1, CLIENT_MAC, C4, V4, head="000608000604"),
        "from-broadcast": arp(1, BROADCAST, C4, V4), "from-nobody": arp(1, bytes(6), C4, V4),
        "padded": arp(1, CLIENT_MAC, C4, V4) + bytes(18),
    }
    for name, message in messages.items():
        for suffix, host in (("default", OWNER), ("other", NOT_OWNER)):
            table.add(f"arp/{name}/{suffix}", PLAIN, host, message, to=BROADCAST, ethertype=0x0806)


def add_neighbours(table):
    group, nodes, unspecified = "ff02::1:ff00:10", "ff02::1", "::"
    own, target = b"\1\1" + CLIENT_MAC, b"\2\1" + CLIENT_MAC
    messages = {
        "request": neighbour6(135, C6, group, V6, own), "unicast-request": neighbour6(135, C6, V6, V6, own),
        "without-option": neighbour6(135, C6, group, V6), "in-use": neighbour6(135, unspecified, group, V6),
        "in-use-to-vip": neighbour6(135, unspecified, V6, V6), "foreign": neighbour6(135, C6, group, "2001:db8::9", own),
        "in-use-with-option": neighbour6(135, unspecified, group, V6, own),
        "routed": neighbour6(135, C6, group, V6, own, hops=254), "code": neighbour6(135, C6, group, V6, own, code=1),
        "checksum": neighbour6(135, C6, group, V6, own, damage=1), "empty-option": neighbour6(135, C6, group, V6, bytes(8)),
        "option-cut": neighbour6(135, C6, group, V6, b"\1\2" + CLIENT_MAC),
        "other-option": neighbour6(135, C6, group, V6, b"\x0e\1" + bytes(6) + own),
        "from-group": neighbour6(135, C6, group, V6, b"\1\1" + b"\x33\x33\0\0\0\1"),
        "source-group": neighbour6(135, "ff02::2", group, V6, own),
        "source-loopback": neighbour6(135, "::1", group, V6, own),
        "claim-by-request": neighbour6(135, V6, group, V6, own), "claim": neighbour6(136, V6, nodes, V6, target, 0x20),
        "claim-for-vip": neighbour6(136, C6, nodes, V6, target, 0x20),
        "claim-solicited": neighbour6(136, C6, V6, V6, target, 0x60),
        "claim-solicited-to-all": neighbour6(136, C6, nodes, V6, target, 0x60),
        "peer": neighbour6(136, V6, nodes, V6, b"\2\1" + PLAIN.mac, 0x20),
        "foreign-claim": neighbour6(136, C6, nodes, C6, target, 0x20),
    }
    for name, message in messages.items():
        for suffix, host in (("default", OWNER), ("other", NOT_OWNER)):
            table.add(f"nd/{name}/{suffix}", PLAIN, host, message, to=b"\x33\x33" + message[36:40])


def main():
    table = Table()
    for add in (add_transports, add_affinities, add_rules, add_sessions, add_fragments, add_later_fragments, add_icmp, add_malformed,
                add_headers, add_link, add_arp, add_neighbours):
        add(table)
    for cluster in (PLAIN, SINGLE, RULES, SPREAD, UNCOVERED, UNICAST, V4_ONLY):
        print(cluster.text())
    for line in table.lines:
        print(line)
    print(f"{len(table.lines)} packets", file=sys.stderr)


if __name__ == "__main__":
    main()
