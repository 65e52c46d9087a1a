# SPDX-License-Identifier: GPL-2.0-only
"""Downloads that go on until they may end: each client takes a little at a time until the file
--until is there, and then the rest. Prints JSON: how many came to their end whole.
"""

import argparse
import concurrent.futures
import ipaddress
import itertools
import json
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.parse


def download(args: argparse.Namespace, source: str, begun: threading.Barrier) -> bool:
    """One of them; whether it is whole."""
    plain = socket.socket()
    # Little is under way, so that the server has to go on for long.
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    plain.settimeout(60)
    try:
        plain.bind((source, 0))
        plain.connect((args.url.hostname, args.url.port or 80))
        plain.sendall(f"GET {args.url.path} HTTP/1.0\r\nHost: {args.url.hostname}\r\n\r\n".encode())
        data = plain.recv(4096)
    except OSError:
        begun.abort()
        raise
    begun.wait()
    while not args.until.exists():
        data += plain.recv(1024)
        time.sleep(0.25)
    while more := plain.recv(65536):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return b" 200 " in head and length is not None and len(body) == int(length[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", type=urllib.parse.urlsplit, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--source", default="198.51.100.0/24")
    parser.add_argument("--ready", type=pathlib.Path, required=True)
    parser.add_argument("--until", type=pathlib.Path, required=True)
    args = parser.parse_args()
    begun = threading.Barrier(args.clients, args.ready.touch)
    sources = map(str, itertools.islice(ipaddress.ip_network(args.source).hosts(), args.clients))
    whole = 0
    with concurrent.futures.ThreadPoolExecutor(args.clients) as pool:
        for done in [pool.submit(download, args, source, begun) for source in sources]:
            try:
                whole += done.result()
            except (OSError, threading.BrokenBarrierError) as error:
                print(repr(error), file=sys.stderr)
    print(json.dumps({"clients": args.clients, "whole": whole}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
