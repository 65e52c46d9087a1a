# SPDX-License-Identifier: GPL-2.0-only
"""TLS connections that stand, one for each client, with a request each half second; at the end
each client closes and connects again with the session that it was given.

Prints JSON. A session is resumed by the host that gave it; another host makes a new one.
"""

import argparse
import ipaddress
import itertools
import json
import pathlib
import re
import socket
import ssl
import time

HOST = re.compile(rb"host (\d+)")


class Connection:
    """A TLS connection of one client."""

    def __init__(self, context: ssl.SSLContext, args: argparse.Namespace, source: str, session=None):
        address, port = args.to.rsplit(":", 1)
        plain = socket.create_connection((address, int(port)), timeout=30, source_address=(source, 0))
        self.socket = context.wrap_socket(plain, server_hostname=args.host, session=session)
        self.name = args.host
        self.reader = self.socket.makefile("rb")

    def ask(self) -> int:
        """One request; the host that answered."""
        self.socket.sendall(f"GET / HTTP/1.1\r\nHost: {self.name}\r\n\r\n".encode())
        if b" 200 " not in self.reader.readline():
            raise OSError("no answer, or another status")
        length = 0
        while (line := self.reader.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return int(HOST.search(self.reader.read(length))[1])

    def close(self) -> None:
        """As a client does."""
        self.reader.close()
        self.socket.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--source", default="198.51.100.0/24")
    parser.add_argument("--sources", type=int, required=True)
    parser.add_argument("--ready", type=pathlib.Path, required=True)
    parser.add_argument("--until", type=pathlib.Path, required=True)
    args = parser.parse_args()
    context = ssl.create_default_context(cafile=args.ca)
    # Its session is there with the handshake, and one ticket serves for more than one connection.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sources = [str(ip) for ip in itertools.islice(ipaddress.ip_network(args.source).hosts(), args.sources)]
    standing = {source: Connection(context, args, source) for source in sources}
    first = {source: connection.ask() for source, connection in standing.items()}
    args.ready.touch()
    requests, broken = len(first), set()
    while not args.until.exists():
        for source, connection in standing.items():
            if source in broken:
                continue
            try:
                if connection.ask() != first[source]:
                    raise OSError("another host answered")
                requests += 1
            except (OSError, ValueError, TypeError):
                broken.add(source)
        time.sleep(0.5)
    counts = dict.fromkeys(("resumed", "stayed_full", "moved_full", "failed"), 0)
    for source, connection in standing.items():
        session = connection.socket.session
        connection.close()
        try:
            again = Connection(context, args, source, session)
            host = again.ask()
            resumed = again.socket.session_reused
            again.close()
        except (OSError, TypeError):
            counts["failed"] += 1
            continue
        counts["resumed" if resumed else "stayed_full" if host == first[source] else "moved_full"] += 1
    print(json.dumps({"connections": len(first), "requests": requests, "broken": len(broken)} | counts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
