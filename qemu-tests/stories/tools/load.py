# SPDX-License-Identifier: GPL-2.0-only
"""HTTP requests from many addresses, each on a connection of its own.

Prints a summary as JSON; --list gets a line for each request, in the order of their ends:
  START SOURCE OUTCOME CONNECT TOTAL
START is the machine's clock (ms since boot), OUTCOME the host that answered ("host N" in the
answer) or a cause, CONNECT and TOTAL ms, "-" for no connection.
"""

import argparse
import asyncio
import collections
import ipaddress
import itertools
import json
import pathlib
import re
import ssl
import sys
import time
import urllib.parse

HOST = re.compile(rb"host (\d+)")


def now_ms() -> int:
    """The clock of now_ms in qemu-tests/lib/ktap.sh."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


class Client:
    """What is the same for all requests."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        url = urllib.parse.urlsplit(args.url)
        self.address, self.port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        name = args.host or url.netloc
        self.request = f"{args.method} {target} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()
        self.tls = None
        if url.scheme == "https":
            self.tls = ssl.create_default_context(cafile=args.ca)
        self.tls_name = args.host if self.tls else None
        self.counts = collections.Counter()
        self.by_source = collections.defaultdict(set)
        self.list = open(args.list, "w", encoding="utf-8", buffering=1)

    async def one(self, source: str) -> None:
        """One request, noted."""
        began = now_ms()
        connected = [None]
        try:
            outcome = await asyncio.wait_for(self._answer(source, connected), self.args.timeout_ms / 1000)
        except (asyncio.TimeoutError, TimeoutError):
            outcome = "no-answer" if connected[0] else "no-connection"
        except ConnectionRefusedError:
            outcome = "refused"
        except ConnectionResetError:
            outcome = "reset" if connected[0] else "refused"
        except ssl.SSLCertVerificationError:
            outcome = "certificate"
        except (ssl.SSLError, OSError) as error:
            print(f"{source}: {error!r}", file=sys.stderr)
            outcome = "broken"
        self.counts[outcome] += 1
        if outcome.isdigit():
            self.by_source[source].add(outcome)
        connect = connected[0] - began if connected[0] else "-"
        print(began, source, outcome, connect, now_ms() - began, file=self.list)

    async def _answer(self, source: str, connected: list) -> str:
        reader, writer = await asyncio.open_connection(
            self.address, self.port, local_addr=(source, 0), ssl=self.tls, server_hostname=self.tls_name
        )
        try:
            connected[0] = now_ms()
            writer.write(self.request)
            answer = await reader.read(-1)
        finally:
            writer.transport.abort()
        status = answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/") else "garbled"
        if status != "200":
            return f"http-{status}"
        found = HOST.findall(answer)
        return found[-1].decode() if found else "unnamed"

    async def run(self) -> None:
        """All requests, one every interval or as many at once as allowed."""
        sources = itertools.cycle(_sources(self.args.source, self.args.sources))
        until = pathlib.Path(self.args.until) if self.args.until else None
        running = set()
        next_start = time.monotonic()
        for _ in range(self.args.count) if self.args.count else itertools.count():
            if until and until.exists():
                break
            if self.args.parallel and len(running) >= self.args.parallel:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self.one(next(sources)))
            running.add(task)
            task.add_done_callback(running.discard)
            next_start += self.args.interval_ms / 1000
            await asyncio.sleep(max(0, next_start - time.monotonic()))
        if running:
            await asyncio.wait(running)


def _sources(network: str, count: int) -> list[str]:
    """The first addresses of a network."""
    hosts = ipaddress.ip_network(network).hosts()
    return [str(address) for address in (itertools.islice(hosts, count) if count else hosts)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--url", default="http://192.0.2.10/")
    parser.add_argument("--host", help="the name that is asked for (default: that of the URL)")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--ca", help="file of the authority that signed the certificate")
    parser.add_argument("--source", default="198.51.100.0/24", help="network of the clients' addresses")
    parser.add_argument("--sources", type=int, default=0, help="only its first N addresses")
    parser.add_argument("--count", type=int, default=0, help="so many requests")
    parser.add_argument("--until", help="stop when this file exists")
    parser.add_argument("--interval-ms", type=float, default=0, help="start one every so many ms")
    parser.add_argument("--parallel", type=int, default=0, help="so many at once at most")
    parser.add_argument("--timeout-ms", type=float, default=30000)
    parser.add_argument("--list", required=True)
    client = Client(parser.parse_args())
    began = time.monotonic()
    asyncio.run(client.run())
    hosts = {name: count for name, count in sorted(client.counts.items()) if name.isdigit()}
    causes = {name: count for name, count in sorted(client.counts.items()) if not name.isdigit()}
    print(json.dumps({
        "requests": client.counts.total(), "answered": sum(hosts.values()), "hosts": hosts, "causes": causes,
        "sources": len(client.by_source),
        "sources_moved": sum(len(hosts) > 1 for hosts in client.by_source.values()),
        "seconds": round(time.monotonic() - began, 3),
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
