# SPDX-License-Identifier: GPL-2.0-only
"""The packet decision once more, written from the design and not from the core."""

import ipaddress
import itertools
import struct

OWN = bytes.fromhex("525400000001")
SEED = bytes(range(16))
MASK = (1 << 64) - 1
NO_RULE = "-"


def siphash13(key, message):
    """SipHash with 1 and 3 rounds (Aumasson and Bernstein 2012)."""
    k0, k1 = struct.unpack("<QQ", key)
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def rotate(value, bits):
        return ((value << bits) | (value >> (64 - bits))) & MASK

    def sip_round(v0, v1, v2, v3):
        v0 = (v0 + v1) & MASK
        v1 = rotate(v1, 13) ^ v0
        v0 = rotate(v0, 32)
        v2 = (v2 + v3) & MASK
        v3 = rotate(v3, 16) ^ v2
        v0 = (v0 + v3) & MASK
        v3 = rotate(v3, 21) ^ v0
        v2 = (v2 + v1) & MASK
        v1 = rotate(v1, 17) ^ v2
        v2 = rotate(v2, 32)
        return v0, v1, v2, v3

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v3 ^= word
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


class Rule:
    def __init__(self, ports, vip=None, proto="both", mode="multiple", affinity="single", p4=24, p6=64,
                 track="quic", state="enabled"):
        self.first, self.last = ports
        self.vip = ipaddress.ip_address(vip) if vip else None
        self.proto, self.mode, self.affinity = proto, mode, affinity
        self.p4, self.p6, self.track, self.state = p4, p6, track, state

    def covers_everything(self):
        return not self.vip and self.proto == "both" and (self.first, self.last) == (0, 65535) and (
            self.mode == "multiple")

    def text(self):
        vip = self.vip or "all"
        return (f"{vip}/{self.proto}/{self.first}-{self.last}/{self.mode}/{self.affinity}"
                f"/{self.p4}/{self.p6}/{self.track}/{self.state}")


class Cluster:
    def __init__(self, name, vips, rules, mode="multicast", echo="default-host"):
        self.name, self.rules, self.mode, self.echo = name, rules, mode, echo
        # Traffic without ports is spread as the rule says that covers everything, if there is one.
        everything = (number for number, rule in enumerate(rules) if rule.covers_everything())
        self.spread = next(everything, "default")
        self.vips = [ipaddress.ip_address(vip) for vip in vips]
        v4 = self.vips[0].packed
        self.mac = {"unicast": b"\x02\xbf" + v4, "multicast": b"\x03\xbf" + v4,
                    "igmp": b"\x01\x00\x5e\x7f" + v4[2:]}[mode]

    def text(self):
        vips = " ".join(f"vip={vip}" for vip in self.vips)
        rules = " ".join(f"rule={rule.text()}" for rule in self.rules)
        return (f"cluster {self.name} mode={self.mode} echo={self.echo} spread={self.spread} seed={SEED.hex()} "
                f"{vips} {rules}").rstrip()

    def rule(self, vip, transport, port):
        """Number of the rule for a port of a VIP; IKE, NAT-T and L2TP are one."""
        if transport == "udp" and port in (1701, 4500):
            port = 500
        for number, rule in enumerate(self.rules):
            if rule.vip in (None, vip) and rule.proto in ("both", transport) and rule.first <= port <= rule.last:
                return number
        return None


class Host:
    """What one host knows when the packet arrives.

    A host that owns the lower half of the buckets is the first of two of equal weight; where a single host serves,
    that is the default host.
    """

    def __init__(self, owner="all", moved=False, others=False, default=None):
        self.owner, self.moved, self.others = owner, moved, others
        self.default = default if default is not None else owner != "none"

    def text(self):
        def yes(flag):
            return "yes" if flag else "no"
        return (f"owner={self.owner} moved={yes(self.moved)} others={yes(self.others)} "
                f"default={yes(self.default)}")

    def owns(self, bucket, rule=None):
        if self.owner == "lower":
            return self.default if rule and rule.mode == "single" else bucket < 2048
        return self.owner == "all"


class Done(Exception):
    """A verdict has been reached."""

    def __init__(self, verdict, reason=NO_RULE, rule=None, sessions="", **more):
        super().__init__(reason)
        self.sessions = sessions
        self.verdict, self.reason, self.rule, self.more = verdict, reason, rule, more

    def text(self):
        rule = NO_RULE if self.rule is None else self.rule
        more = "".join(f" {key}={value}" for key, value in self.more.items())
        return f"verdict={self.verdict} reason={self.reason} rule={rule}{more}"


def malformed(what):
    return Done("drop", "malformed-" + what)


class Packet:
    """An IP packet, taken apart."""

    def __init__(self, src, dst, protocol, data, fragment=None):
        self.src, self.dst, self.protocol, self.data = src, dst, protocol, data
        self.fragment = fragment  # None, "first", or the offset in bytes


def parse_ip(version, bytes_, quoted=False):
    return parse_v4(bytes_, quoted) if version == 4 else parse_v6(bytes_, quoted)


def parse_v4(bytes_, quoted):
    if len(bytes_) < 20:
        raise malformed("truncated")
    if bytes_[0] >> 4 != 4:
        raise malformed("version")
    header = (bytes_[0] & 15) * 4
    if header < 20:
        raise malformed("header-length")
    total = struct.unpack("!H", bytes_[2:4])[0]
    if quoted:
        total = min(total, len(bytes_)) if total >= 20 else -1
    if total < 20 or total > len(bytes_):
        raise malformed("length")
    if header > total:
        raise malformed("header-length")
    flags = struct.unpack("!H", bytes_[6:8])[0]
    offset = (flags & 0x1FFF) * 8
    fragment = offset if offset else "first" if flags & 0x2000 else None
    return Packet(ipaddress.ip_address(bytes_[12:16]), ipaddress.ip_address(bytes_[16:20]), bytes_[9],
                  bytes_[header:total], fragment)


def parse_v6(bytes_, quoted):
    if len(bytes_) < 40:
        raise malformed("truncated")
    if bytes_[0] >> 4 != 6:
        raise malformed("version")
    payload, following = struct.unpack("!HB", bytes_[4:7])
    if payload == 0 and following == 0:
        raise malformed("jumbogram")
    data = bytes_[40:]
    if payload > len(data) and not quoted:
        raise malformed("length")
    data = data[:payload]
    fragment, walked, count = None, 0, 0
    while following in (0, 43, 44, 60) and not isinstance(fragment, int):
        if following == 0 and count:
            raise malformed("extension")
        if len(data) < 8:
            raise malformed("extension")
        size = 8 if following == 44 else (data[1] + 1) * 8
        walked += size
        count += 1
        if size > len(data) or walked > (64 if quoted else 128) or count > 8:
            raise malformed("extension")
        if following == 44:
            field = struct.unpack("!H", data[2:4])[0]
            fragment = field & 0xFFF8 or ("first" if field & 1 else None)
        following, data = data[0], data[size:]
    return Packet(ipaddress.ip_address(bytes_[8:24]), ipaddress.ip_address(bytes_[24:40]), following, data, fragment)


PORTED = {6: "tcp", 132: "tcp", 17: "udp", 136: "udp"}


def decide(cluster, host, frame):
    """The verdict on a frame, as a Done."""
    try:
        decide_frame(cluster, host, frame)
    except Done as done:
        return done
    raise AssertionError("no verdict")


def datagram_of(frame):
    """What the fragments of one datagram have in common; None if the frame is of none."""
    try:
        packet = parse_ip(4 if frame[14] >> 4 == 4 else 6, frame[14:])
    except Done:
        return None
    if packet.fragment is None:
        return None
    if packet.src.version == 4:
        return packet.src, packet.dst, packet.protocol, frame[18:20]
    assert frame[20] == 44, "the fragment header comes first in the packets of the table"
    return packet.src, packet.dst, packet.protocol, frame[58:62]


def decide_after(cluster, host, earlier, frame):
    """The verdict on a frame of which earlier ones tell more: a later fragment follows the first one."""
    memory = {}
    for one in earlier:
        done = decide(cluster, host, one)
        if done.verdict in ("accept", "drop") and datagram_of(one):
            memory[datagram_of(one)] = done.verdict
    done = decide(cluster, host, frame)
    if done.more.get("known") == "accepted-fragment" and datagram_of(frame) in memory:
        verdict = memory[datagram_of(frame)]
        return Done(verdict, "accepted-fragment" if verdict == "accept" else "dropped-fragment")
    return done


def decide_frame(cluster, host, frame):
    to, ethertype, l3 = frame[:6], struct.unpack("!H", frame[12:14])[0], frame[14:]
    tagged = ethertype == 0x8100
    if tagged:
        ethertype, l3 = struct.unpack("!H", frame[16:18])[0], frame[18:]
    if ethertype == 0x0806:
        decide_arp(cluster, host, l3)
    if ethertype not in (0x0800, 0x86DD):
        raise Done("pass", "passed-not-ip")
    version = 4 if ethertype == 0x0800 else 6
    if version == 6 and not any(vip.version == 6 for vip in cluster.vips):
        raise Done("pass", "passed-foreign")
    size, at = (20, 16) if version == 4 else (40, 24)
    if len(l3) < size:
        raise Done("pass", "passed-vlan") if tagged else malformed("truncated")
    if ipaddress.ip_address(l3[at:size]) not in cluster.vips:
        if version == 6 and not tagged and l3[6] == 58 and l3[40:41] in (b"\x87", b"\x88"):
            decide_nd(cluster, host, frame[6:12], l3)
        raise Done("pass", "passed-foreign")
    if tagged:
        raise Done("pass", "passed-vlan")
    if to not in (cluster.mac, OWN) and not to[0] & 1:
        raise Done("pass", "passed-other-host")
    packet = parse_ip(version, l3)
    if version == 6 and packet.protocol == 58 and packet.data[:1] and 133 <= packet.data[0] <= 137:
        decide_nd(cluster, host, frame[6:12], l3)
    decide_packet(cluster, host, packet)


def decide_packet(cluster, host, packet):
    version = packet.src.version
    if is_bad_source(packet.src):
        raise malformed("source")
    if isinstance(packet.fragment, int):
        if packet.protocol == 6 and packet.fragment < 16:
            raise malformed("fragment")
        raise Done("ask", known="accepted-fragment", unknown="passed-fragment")
    least = {6: 20, 17: 8, 136: 8, 132: 12, 1: 8, 58: 8}.get(packet.protocol, 0)
    if packet.fragment == "first":
        least = {6: 16, 132: 8}.get(packet.protocol, least)
        if len(packet.data) < least:
            raise malformed("fragment")
    if len(packet.data) < least:
        raise malformed("transport")
    if (version, packet.protocol) in ((4, 1), (6, 58)):
        decide_icmp(cluster, host, packet)
    if packet.protocol not in PORTED and packet.protocol not in (1, 58, 47, 50, 51):
        spread(cluster, host, packet.src)
    client_port, vip_port = ports(packet)
    number = rule_number(cluster, packet.dst, packet.protocol, vip_port)
    kind = kind_of(cluster, number, packet.protocol, vip_port, packet.data)
    settle(cluster, host, packet.src, client_port, packet.protocol, vip_port, number, kind, packet.dst)


def is_bad_source(src):
    if src.version == 4:
        return src.packed[0] == 0 or src.is_multicast or src == ipaddress.ip_address("255.255.255.255")
    return src.is_unspecified or src.is_loopback or src.is_multicast or src.ipv4_mapped is not None


def ports(packet):
    if packet.protocol in PORTED:
        return struct.unpack("!HH", packet.data[:4])
    return 0, 0


def rule_number(cluster, vip, protocol, vip_port):
    if protocol in PORTED:
        return cluster.rule(vip, PORTED[protocol], vip_port)
    if protocol == 47:
        return cluster.rule(vip, "tcp", 1723)
    if protocol in (50, 51):
        return cluster.rule(vip, "udp", 500)
    return None


TUNNELS = (("tcp", 1723), ("udp", 500), ("udp", 1701), ("udp", 4500))


def kind_of(cluster, number, protocol, vip_port, data):
    """What a packet is to its session."""
    if protocol == 6:
        flags = data[13] & 0x16
        return "first" if flags == 0x02 else "syn-ack" if flags == 0x12 else "tcp"
    if protocol == 132:
        return "first" if data[12:13] == b"\x01" else "session"
    if protocol in (47, 50, 51):
        return "session"
    if protocol not in (17, 136):
        return "alone"
    # One that stands for itself may answer what this host sent from the VIP, so its table of sessions is asked.
    if number is None:
        return "datagram"
    track = cluster.rules[number].track
    tunnel = ("udp", vip_port) in TUNNELS
    if not (tunnel or track == "on" or (track == "quic" and vip_port == 443)):
        return "datagram"
    data = data[8:]
    if vip_port == 443 and data:
        if data[0] & 0x80:
            handshake = data[0] & 0xF0 == 0xE0 and data[1:5] == b"\0\0\0\1"
            return "session" if handshake else "first"
        return "session" if data[0] & 0x40 else "datagram"
    if vip_port == 4500:
        if data[:4] != bytes(4):
            return "session"
        data = data[4:]
    if vip_port in (500, 4500):
        if len(data) < 16:
            return "datagram"
        return "first" if data[8:16] == bytes(8) else "session"
    if vip_port == 1701:
        if len(data) < 6:
            return "datagram"
        return "first" if data[0] & 0xC0 == 0xC0 and data[4:6] == bytes(2) else "session"
    return "datagram"


def bucket_of(cluster, client, client_port, protocol, vip_port, number):
    affinity, prefix = "single", client.max_prefixlen
    if number is not None:
        rule = cluster.rules[number]
        affinity = rule.affinity
        tunnel = protocol not in PORTED or (PORTED[protocol], vip_port) in TUNNELS
        if affinity == "none" and tunnel:
            affinity = "single"
        if affinity == "network":
            prefix = rule.p4 if client.version == 4 else rule.p6
    network = ipaddress.ip_network((client, prefix), strict=False).network_address.packed
    port = client_port if affinity == "none" else 0
    return siphash13(SEED, network + struct.pack("!H", port)) >> 52


def spread(cluster, host, client, kind="alone", vip=None):
    """Judges a packet without ports and without a rule: by its client's address, where there is a map for it."""
    if cluster.spread == "default":
        settle(cluster, host, client, 0, 0, 0, None, kind, vip)
    # The rule lends its map, not its affinity: there is no port.
    bucket = bucket_of(cluster, client, 0, 0, 0, None)
    mine = host.owns(bucket)
    if kind == "error" and host.moved and not mine:
        known = sessions(cluster, client, 0, 0, vip, 0, cluster.spread, bucket)
        raise Done("ask", sessions=known, known="accepted-residual", unknown="dropped-no-session")
    raise Done("accept", "accepted-owner") if mine else Done("drop", "dropped-not-owner")


def sessions(cluster, client, client_port, protocol, vip, vip_port, number, bucket=None):
    """TCP connections of the same bucket, for a test in a real kernel.

    `session`, where the packet is one of TCP: the connection that it belongs to. `witness`: another one, because of
    which the bucket has sessions. The port of the VIP is not hashed, so another one of the same rule will do.
    """
    def text(name, port, of_vip):
        return f" {name}={client}/{port}/{vip}/{of_vip}"

    own = text("session", client_port, vip_port) if protocol == 6 else ""
    first, last = (1, 65535) if number is None else (cluster.rules[number].first, cluster.rules[number].last)
    taken = [port for _, port in TUNNELS] + [vip_port]
    other = next((port for port in (first + 1, first + 2, last) if port not in taken and port <= last), first)
    assert number is None or cluster.rules[number].proto != "udp", "no TCP connection is in a bucket of that rule"
    assert (protocol, other) != (6, vip_port), "the witness must be another connection"
    wanted = bucket or bucket_of(cluster, client, client_port, protocol, vip_port, number)
    ports_ = itertools.chain([client_port or 40000], range(1024, 65536))
    port = next(port for port in ports_ if bucket_of(cluster, client, port, 6, other, number) == wanted)
    return own + text("witness", port, other)


def settle(cluster, host, client, client_port, protocol, vip_port, number, kind, vip=None):
    """Judges a packet by its bucket."""
    if number is None:
        mine, accepted, dropped = host.default, "accepted-default-host", "dropped-not-default-host"
    else:
        rule = cluster.rules[number]
        if rule.mode == "disabled" or rule.state == "disabled":
            raise Done("drop", "dropped-disabled", number)
        mine = host.owns(bucket_of(cluster, client, client_port, protocol, vip_port, number), rule)
        accepted, dropped = "accepted-owner", "dropped-not-owner"
    if not host.moved and not (mine and kind == "syn-ack"):
        raise Done("accept", accepted, number) if mine else Done("drop", dropped, number)
    if kind in ("first", "alone"):
        raise Done("accept", accepted, number) if mine else Done("drop", dropped, number)
    if not mine and number is None and any(rule.covers_everything() for rule in cluster.rules):
        # No connection of TCP can be in a bucket of the default host: a real kernel has looked, and knows.
        raise Done("ask", sessions=f" settled={dropped}", known="accepted-residual", unknown="dropped-no-session")
    if not host.moved:
        # The connection that a SYN-ACK from outside would belong to.
        known = f" session={client}/{client_port}/{vip}/{vip_port}"
    else:
        known = sessions(cluster, client, client_port, protocol, vip, vip_port, number)
    if not mine:
        raise Done("ask", rule=number, sessions=known, known="accepted-residual", unknown="dropped-no-session")
    if kind in ("datagram", "error"):
        raise Done("accept", accepted, number)
    unknown = "silent-syn-ack" if kind == "syn-ack" else "silent-mid-flow" if host.others else accepted
    raise Done("ask", rule=number, sessions=known, known=accepted, unknown=unknown)


def decide_icmp(cluster, host, packet):
    version, type_ = packet.src.version, packet.data[0]
    if type_ == (8 if version == 4 else 128):
        if cluster.echo == "all":
            raise Done("accept", "accepted-echo")
        if cluster.echo == "drop":
            raise Done("drop", "dropped-echo")
        if cluster.echo == "hash":
            spread(cluster, host, packet.src)
        settle(cluster, host, packet.src, 0, packet.protocol, 0, None, "alone")
    if type_ not in ((3, 4, 5, 11, 12) if version == 4 else (1, 2, 3, 4)):
        settle(cluster, host, packet.src, 0, packet.protocol, 0, None, "datagram", packet.dst)
    try:
        inner = parse_ip(version, packet.data[8:], quoted=True)
    except Done:
        raise malformed("icmp") from None
    if inner.src != packet.dst:
        raise malformed("icmp")
    if isinstance(inner.fragment, int):
        settle(cluster, host, inner.dst, 0, 0, 0, None, "error", inner.src)
    if inner.protocol in PORTED and len(inner.data) < 4:
        raise malformed("icmp")
    if inner.protocol not in PORTED and inner.protocol not in (1, 58, 47, 50, 51):
        spread(cluster, host, inner.dst, "error", inner.src)
    vip_port, client_port = ports(inner)
    number = rule_number(cluster, inner.src, inner.protocol, vip_port)
    settle(cluster, host, inner.dst, client_port, inner.protocol, vip_port, number, "error", inner.src)


def decide_arp(cluster, host, message):
    if len(message) < 28 or message[:6] != bytes.fromhex("000108000604"):
        raise Done("pass", "arp-malformed")
    operation = message[6:8]
    sender_mac, sender = message[8:14], ipaddress.ip_address(message[14:18])
    target = ipaddress.ip_address(message[24:28])
    if sender in cluster.vips:
        raise Done("drop", "arp-peer" if sender_mac == cluster.mac else "arp-conflict")
    if target not in cluster.vips or operation != b"\0\1":
        raise Done("pass", "arp-foreign")
    if sender_mac[0] & 1 or sender_mac == bytes(6):
        raise Done("drop", "arp-malformed")
    if sender_mac == cluster.mac:
        raise Done("drop", "arp-peer")
    if not host.default:
        raise Done("drop", "arp-not-responder")
    reply = message[:6] + b"\0\2" + cluster.mac + target.packed + sender_mac + sender.packed
    raise Done("drop", "arp-replied", reply=(sender_mac + OWN + b"\x08\x06" + reply).hex())


def is_station(mac):
    return not mac[0] & 1 and mac != bytes(6)


def internet_checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def nd_option(message, kind):
    """The MAC in the first option of that kind; None without one. ValueError if an option is malformed."""
    options, found = message[24:], None
    while options:
        if len(options) < 2 or options[1] == 0 or options[1] * 8 > len(options):
            raise ValueError
        if options[0] == kind and found is None:
            found = options[2:8]
        options = options[options[1] * 8:]
    return found


def decide_nd(cluster, host, sender, l3):
    """What becomes of a solicitation or an advertisement: RFC 4861 section 7.1, and who claims what."""
    def done(action, reason, **more):
        raise Done("neighbour", nd=f"{action},{reason}", **more)

    message = l3[40:]
    if l3[6] != 58 or len(message) < 24 or message[0] not in (135, 136):
        done("pass", "nd-foreign")
    src, target = ipaddress.ip_address(l3[8:24]), ipaddress.ip_address(message[8:24])
    claims, about = src in cluster.vips, target in cluster.vips
    if not claims and not about:
        done("pass", "nd-foreign")
    pseudo = l3[8:40] + struct.pack("!II", len(message), 58)
    solicitation = message[0] == 135
    try:
        mac = nd_option(message, 1 if solicitation else 2)
    except ValueError:
        done("drop", "nd-malformed")
    to = ipaddress.ip_address(l3[24:40])
    solicited_node = to.packed[:13] == ipaddress.ip_address("ff02::1:ff00:0").packed[:13]
    if src.is_multicast or src.is_loopback or src.ipv4_mapped is not None:
        done("drop", "nd-malformed")
    if l3[7] != 255 or message[1] != 0 or internet_checksum(pseudo + message) != 0xFFFF or target.is_multicast:
        done("drop", "nd-malformed")
    if solicitation and src.is_unspecified and (mac is not None or not solicited_node):
        done("drop", "nd-malformed")
    if not solicitation and to.is_multicast and message[4] & 0x40:
        done("drop", "nd-malformed")
    if claims or not solicitation:
        done("drop", "nd-peer" if (mac or sender) == cluster.mac else "nd-conflict")
    if not is_station(mac or sender):
        done("drop", "nd-malformed")
    if not host.default:
        done("drop", "nd-not-responder")
    everybody = src.is_unspecified
    answer = struct.pack("!BBHI", 136, 0, 0, 0x20000000 if everybody else 0x60000000) + target.packed
    answer += b"\2\1" + cluster.mac
    back = ipaddress.ip_address("ff02::1") if everybody else src
    pseudo = target.packed + back.packed + struct.pack("!II", len(answer), 58)
    answer = answer[:2] + struct.pack("!H", ~internet_checksum(pseudo + answer) & 0xFFFF) + answer[4:]
    head = struct.pack("!IHBB", 0x60000000, len(answer), 58, 255) + target.packed + back.packed
    frame_to = bytes.fromhex("333300000001") if everybody else mac or sender
    done("drop", "nd-replied", reply=(frame_to + OWN + b"\x86\xdd" + head + answer).hex())
