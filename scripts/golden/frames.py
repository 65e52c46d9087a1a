# SPDX-License-Identifier: GPL-2.0-only
"""Frames made by hand: headers of every protocol that the packet decision knows."""

import ipaddress
import itertools
import struct

CLIENT_MAC = bytes.fromhex("525400000099")
OTHER_MAC = bytes.fromhex("525400000002")
BROADCAST = b"\xff" * 6

V4, V4B, V6, V6B = "192.0.2.10", "192.0.2.11", "2001:db8::10", "2001:db8::11"
# Each datagram that is sent in fragments has an identification of its own: a host remembers the first ones.
IDENTS = itertools.count(1000)
C4, C6 = "198.51.100.7", "2001:db8:9::7"


def ethernet(payload, ethertype, to, src=CLIENT_MAC, vlan=None):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    return to + src + tag + struct.pack("!H", ethertype) + payload


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(src, dst, protocol, data, options=b"", flags=0x4000, ident=None, total=None, first=None, ttl=64):
    if ident is None:
        ident = next(IDENTS) if flags & 0x3FFF else 7
    header = 20 + len(options)
    first = 0x40 | header // 4 if first is None else first
    total = header + len(data) if total is None else total
    head = struct.pack("!BBHHHBBH", first, 0, total & 0xFFFF, ident, flags, ttl, protocol, 0)
    head += ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def ip6(src, dst, following, data, payload=None, first=0x60, hops=64):
    payload = len(data) if payload is None else payload
    return (struct.pack("!BBHHBB", first, 0, 0, payload & 0xFFFF, following, hops)
            + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + data)


def ip(src, dst, protocol, data):
    make = ip4 if ipaddress.ip_address(dst).version == 4 else ip6
    return make(src, dst, protocol, data)


def tcp(sport, dport, flags, data=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, 0x50, flags, 65535, 0, 0) + data


def udp(sport, dport, data=b"data"):
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def sctp(sport, dport, chunk):
    return struct.pack("!HHIIBBH", sport, dport, 0, 0, chunk, 0, 4)


def icmp(type_, data=b"\0\1\0\1payload", code=0):
    body = struct.pack("!BBH", type_, code, 0) + data
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def icmp_error(type_, quoted, code=0):
    return icmp(type_, bytes(4) + quoted, code)


def extension(following, size=8):
    return bytes([following, size // 8 - 1]) + b"\x01" + bytes([min(size - 4, 255)]) + bytes(size - 4)


def fragment6(following, offset, more, ident=None):
    if ident is None:
        ident = next(IDENTS) if offset or more else 77
    return struct.pack("!BBHI", following, 0, offset | more, ident)


def neighbour6(type_, src, dst, target, options=b"", flags=0, hops=255, code=0, damage=0):
    message = struct.pack("!BBHI", type_, code, 0, flags << 24) + ipaddress.ip_address(target).packed + options
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    sum_ = checksum(addresses + struct.pack("!II", len(message), 58) + message) ^ damage
    return ip6(src, dst, 58, message[:2] + struct.pack("!H", sum_) + message[4:], hops=hops)


def fragments(src, dst, protocol, data, size, ident):
    """A datagram in fragments of so many bytes of data each, a multiple of 8."""
    parts = []
    for at in range(0, len(data), size):
        part, more = data[at:at + size], at + size < len(data)
        if ipaddress.ip_address(dst).version == 4:
            parts.append(ip4(src, dst, protocol, part, flags=at // 8 | (0x2000 if more else 0), ident=ident))
        else:
            parts.append(ip6(src, dst, 44, fragment6(protocol, at, int(more), ident) + part))
    return parts
