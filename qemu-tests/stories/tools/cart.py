# SPDX-License-Identifier: GPL-2.0-only
"""Clients that put three items into a cart each, by three requests with their cookie, each on a
connection of its own. Prints JSON: how many carts are whole, and on which hosts they are.
"""

import argparse
import collections
import http.client
import ipaddress
import itertools
import json
import re
import sys
import urllib.parse

ITEMS = 3


def fill(url: urllib.parse.SplitResult, source: str) -> tuple[bool, str]:
    """Whether the cart came to be whole, and the id of the host that answered last."""
    cookie = None
    for _ in range(ITEMS):
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=60, source_address=(source, 0))
        connection.request("GET", url.path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        if given := answer.getheader("Set-Cookie"):
            cookie = given.partition(";")[0]
        items, host = re.match(r"(\d+) items\nhost(\d+)", answer.read().decode()).groups()
        connection.close()
    return int(items) == ITEMS, host


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", type=urllib.parse.urlsplit, required=True)
    parser.add_argument("--carts", type=int, required=True)
    parser.add_argument("--source", default="198.51.100.0/24")
    args = parser.parse_args()
    hosts = collections.Counter()
    whole = failed = 0
    for source in itertools.islice(ipaddress.ip_network(args.source).hosts(), args.carts):
        try:
            good, host = fill(args.url, str(source))
        except (OSError, http.client.HTTPException) as error:
            print(f"{source}: {error!r}", file=sys.stderr)
            failed += 1
            continue
        whole += good
        hosts[host] += 1
    print(json.dumps({"whole": whole, "failed": failed, "hosts": dict(sorted(hosts.items()))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
