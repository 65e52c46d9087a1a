# SPDX-License-Identifier: GPL-2.0-only
"""The segment of several guests: a bridge, a tap for each guest, a client.

All of it lives in one network namespace of this machine, which a process holds:
with that process, and those inside, everything is gone.

    host1 ── t1 ┐
    host2 ── t2 ┼─ br0 (learning on)
    host3 ── t3 ┤
       c0 ── pc ┘   the client: 10.0.0.100, and all of 10.1.0.0/16

The second cards of the guests, u1 to u3, are on a switch of their own, br1,
where nobody else is: another way for heartbeats (nlbadm relay).
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess

VIP = "10.0.0.10"
CLIENT = "10.0.0.100"
SOURCES = "10.1.0.0/16"
# What Windows and nlb make of 10.0.0.10 in multicast mode.
VIRTUAL_MAC = "03:bf:0a:00:00:0a"


@dataclasses.dataclass(frozen=True)
class Addresses:
    """The addresses on a segment. Hosts have their own."""

    vip: str = VIP
    # The client's own, with the length of the segment's prefix.
    client: str = f"{CLIENT}/16"
    # The network behind the client, all of whose addresses are the client's too.
    sources: str = SOURCES


class SegmentError(Exception):
    """This machine cannot make the segment."""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SegmentError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def mac(host: int, card: int = 0) -> str:
    """The own MAC of a host's network card, or of its second one."""
    return f"02:00:00:00:{2 * card:02x}:{host:02x}"


class Segment:
    """One segment, by the process that holds its namespace."""

    def __init__(self, name: str, holder: int, addresses: Addresses = Addresses()):
        self.name = name
        self.holder = holder
        self.addresses = addresses

    @classmethod
    def make(cls, name: str, hosts: int, detached: bool, addresses: Addresses = Addresses()) -> "Segment":
        """Make the namespace and all that is in it. Unless detached it ends with its maker."""
        if os.geteuid() != 0:
            raise SegmentError("making a network namespace takes root: try again with sudo -E")
        leash = [] if detached else ["setpriv", "--pdeathsig", "KILL"]
        # Its first line says that the namespace is there; its name is for people who look at processes.
        process = subprocess.Popen(
            [*leash, "unshare", "--net", "bash", "-c", 'echo; exec -a "$1" sleep infinity', "bash", name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        segment = cls(name, process.pid, addresses)
        try:
            if not process.stdout.readline():
                raise SegmentError("this machine does not let root make a network namespace")
            segment._make_bridges()
            for host in range(1, hosts + 1):
                for tap, bridge in ((f"t{host}", "br0"), (f"u{host}", "br1")):
                    segment._ip("tuntap", "add", tap, "mode", "tap")
                    segment._join(tap, bridge)
            segment._make_client()
        except BaseException:
            segment.remove()
            raise
        return segment

    def _make_bridges(self) -> None:
        # A bridge is a switch only: it takes no part in IP, and does not answer for the client's address.
        self._in("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.conf.all.arp_ignore=1")
        self._ip("link", "set", "lo", "up")
        for number in (0, 1):
            self._ip(
                "link", "add", f"br{number}", "address", f"02:00:00:00:ff:0{number + 1}",
                "type", "bridge", "mcast_snooping", "0", "forward_delay", "0",
            )  # fmt: skip
            self._ip("link", "set", f"br{number}", "up")

    def _make_client(self) -> None:
        self._ip(
            "link", "add", "c0", "address", "02:00:00:00:00:64",
            "type", "veth", "peer", "name", "pc",
        )  # fmt: skip
        self._join("pc", "br0")
        self._ip("link", "set", "c0", "up")
        self._ip("addr", "add", self.addresses.client, "dev", "c0")
        # Every address of this network is the client's own.
        self._ip("route", "add", "local", self.addresses.sources, "dev", "lo")
        # It asks for neighbours in its main address's name, not in hundreds.
        self._in("sysctl", "-qw", "net.ipv4.conf.all.arp_announce=2")

    def _join(self, device: str, bridge: str) -> None:
        self._ip("link", "set", device, "master", bridge, "up")

    def _ip(self, *words: str) -> str:
        return self._in("ip", *words)

    def _in(self, *command: str) -> str:
        return _run(*self.command(list(command)))

    def remove(self) -> None:
        """End the process that holds the namespace; all in it goes with the last guest."""
        if self._is_held():
            os.kill(self.holder, signal.SIGKILL)

    def _is_held(self) -> bool:
        """True if the holder lives, and its number is not a later process's."""
        try:
            return self.name.encode() in pathlib.Path(f"/proc/{self.holder}/cmdline").read_bytes()
        except OSError:
            return False

    # Views

    def neighbour(self) -> str | None:
        """The MAC that the client has learned for the VIP."""
        text = self._ip("neigh", "show", self.addresses.vip, "dev", "c0")
        match = re.search(r"lladdr (\S+)", text)
        return match[1] if match else None

    def learned(self) -> set[str]:
        """The MACs that the bridge has learned from traffic."""
        text = self._in("bridge", "fdb", "show", "br", "br0")
        return {line.split()[0] for line in text.splitlines() if "permanent" not in line}

    # Commands of the client

    def command(self, words: list[str]) -> list[str]:
        """The words that run a command in the namespace."""
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", *words]
