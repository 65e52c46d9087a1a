# SPDX-License-Identifier: GPL-2.0-only
"""Frames whose cost is measured, one for each case, as the generator wants them.

A case is a line "NAME FAMILY ADDRESS_AT PORT_AT HEX": where the client's
address (its last four bytes) and port stand in the frame, 0 if there is none.
"""

import dataclasses
import ipaddress
import struct

# What guests use; the client's last 20 bits are chosen anew for each packet.
VIP4, FOREIGN4, CLIENT4 = "10.99.0.10", "10.99.0.77", "198.16.0.0"
VIP6, FOREIGN6, CLIENT6 = "fd99::a", "fd99::77", "fd98::1:0:0"
CLIENT_MASK = 0xFFFFF
ROUTER4, ROUTER6 = "198.51.100.1", "fd97::1"
VIRTUAL_MAC = bytes.fromhex("03bf0a63000a")
CLIENT_MAC = bytes.fromhex("020000000064")
BROADCAST = b"\xff" * 6

ETH, IP4, IP6 = 14, 20, 40
TCP, UDP, ICMP, ICMP6, GRE, FRAGMENT6 = 6, 17, 1, 58, 47, 44
SYN, ACK, PSH = 0x02, 0x10, 0x08


@dataclasses.dataclass
class Case:
    """A frame and where the client stands in it."""

    name: str
    family: int
    frame: bytes
    address_at: int = 0
    port_at: int = 0

    def line(self) -> str:
        """As the guest reads it."""
        return f"{self.name} {self.family} {self.address_at} {self.port_at} {self.frame.hex()}"


def ethernet(kind: int, payload: bytes, to: bytes = VIRTUAL_MAC) -> bytes:
    """A frame of at least 60 bytes, as NICs deliver it."""
    return (to + CLIENT_MAC + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip4(protocol: int, payload: bytes, source: str, to: str, fragment: int = 0) -> bytes:
    """An IPv4 packet. Its checksum is right for the first client only; nothing before the stack looks at it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, IP4 + len(payload), 7, fragment, 64, protocol, 0)
    head += ipaddress.ip_address(source).packed + ipaddress.ip_address(to).packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(protocol: int, payload: bytes, source: str, to: str) -> bytes:
    """An IPv6 packet."""
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    return head + ipaddress.ip_address(source).packed + ipaddress.ip_address(to).packed + payload


def tcp(flags: int, port: int = 80, payload: bytes = b"") -> bytes:
    """A TCP segment."""
    return struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 5 << 4, flags, 8192, 0, 0) + payload


def udp(port: int, payload: bytes) -> bytes:
    """A UDP datagram."""
    return struct.pack("!HHHH", 40000, port, 8 + len(payload), 0) + payload


# A QUIC long header: Initial, version 1, and a connection id of eight bytes.
QUIC = bytes.fromhex("c000000001") + b"\x08" + bytes(8) + bytes(16)


def heartbeat() -> bytes:
    """The beginning of a heartbeat of a cluster that is not ours."""
    head = b"nb" + bytes([1, 1, 2, 1, 1, 2]) + struct.pack("!QQQHH", 77, 5, 9, 240, 1)
    return (head + bytes(8)).ljust(240, b"\0")


def cases4() -> list[Case]:
    """Over IPv4."""

    def case(name, protocol, payload, to=VIP4, ports=True, fragment=0, source=CLIENT4):
        packet = ip4(protocol, payload, source, to, fragment)
        return Case(name, 4, ethernet(0x0800, packet), ETH + 12, ETH + IP4 if ports else 0)

    inner = ip4(TCP, tcp(ACK), VIP4, CLIENT4)[: IP4 + 8]
    error = struct.pack("!BBHI", 3, 4, 0, 1400) + inner
    # The client of an error is the one inside it.
    icmp_error = Case(
        "icmp-error", 4, ethernet(0x0800, ip4(ICMP, error, ROUTER4, VIP4)),
        ETH + IP4 + 8 + 16, ETH + IP4 + 8 + IP4 + 2,
    )  # fmt: skip
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + CLIENT_MAC + ipaddress.ip_address("10.99.0.100").packed
    arp += bytes(6) + ipaddress.ip_address(VIP4).packed
    return [
        case("tcp-data", TCP, tcp(ACK | PSH, payload=bytes(6))),
        case("tcp-syn", TCP, tcp(SYN)),
        case("udp", UDP, udp(80, bytes(18))),
        case("foreign", UDP, udp(80, bytes(18)), to=FOREIGN4),
        case("quic", UDP, udp(443, QUIC)),
        case("fragment-first", TCP, tcp(ACK), fragment=0x2000),
        case("fragment-later", TCP, bytes(24), ports=False, fragment=0x0010),
        icmp_error,
        case("gre", GRE, struct.pack("!HHHHI", 0x3001, 0x880B, 0, 1, 1), ports=False),
        Case("arp-request", 4, ethernet(0x0806, arp, BROADCAST), ETH + 14),
        # Of another cluster: refused by its first words, as a stranger's is.
        Case("heartbeat-other", 4, ethernet(0x88B5, heartbeat())),
    ]


def cases6() -> list[Case]:
    """The same over IPv6."""

    def case(name, protocol, payload, to=VIP6, port_at=ETH + IP6, source=CLIENT6):
        packet = ip6(protocol, payload, source, to)
        return Case(name, 6, ethernet(0x86DD, packet), ETH + 8 + 12, port_at)

    def fragment(offset_and_more: int, payload: bytes) -> bytes:
        return struct.pack("!BBHI", TCP, 0, offset_and_more, 7) + payload

    inner = ip6(TCP, tcp(ACK), VIP6, CLIENT6)
    error = struct.pack("!BBHI", 2, 0, 0, 1400) + inner
    icmp_error = Case(
        "icmp-error", 6, ethernet(0x86DD, ip6(ICMP6, error, ROUTER6, VIP6)),
        ETH + IP6 + 8 + 24 + 12, ETH + IP6 + 8 + IP6 + 2,
    )  # fmt: skip
    return [
        case("tcp-data", TCP, tcp(ACK | PSH, payload=bytes(6))),
        case("tcp-syn", TCP, tcp(SYN)),
        case("udp", UDP, udp(80, bytes(18))),
        case("foreign", UDP, udp(80, bytes(18)), to=FOREIGN6),
        case("quic", UDP, udp(443, QUIC)),
        case("fragment-first", FRAGMENT6, fragment(1, tcp(ACK)), port_at=ETH + IP6 + 8),
        case("fragment-later", FRAGMENT6, fragment(0x81, bytes(24)), port_at=0),
        icmp_error,
        case("gre", GRE, struct.pack("!HHHHI", 0x3001, 0x880B, 0, 1, 1), port_at=0),
    ]


def lines() -> str:
    """All cases, as a file for guests."""
    return "".join(case.line() + "\n" for case in cases4() + cases6())
