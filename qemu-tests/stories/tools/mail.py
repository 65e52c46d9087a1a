# SPDX-License-Identifier: GPL-2.0-only
"""Mails by SMTP, each from another address on a connection of its own; prints JSON: which host
accepted how many. The host says its name in its greeting ("220 host1.example.org").
"""

import argparse
import collections
import ipaddress
import itertools
import json
import re
import smtplib
import sys


def send(server: str, source: str, number: int) -> str:
    """One mail; the id of the host that accepted it."""
    mail = smtplib.SMTP(timeout=60, source_address=(source, 0), local_hostname="client.example.net")
    code, greeting = mail.connect(server, 25)
    if code != 220:
        raise smtplib.SMTPConnectError(code, greeting)
    mail.sendmail("client@example.net", ["info@example.org"], f"Subject: mail {number}\r\n\r\nFrom {source}.\r\n")
    mail.quit()
    return re.search(rb"host(\d+)", greeting)[1].decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--source", default="198.51.100.0/24")
    args = parser.parse_args()
    hosts = collections.Counter()
    failed = 0
    for number, source in enumerate(itertools.islice(ipaddress.ip_network(args.source).hosts(), args.count)):
        try:
            hosts[send(args.to, str(source), number)] += 1
        except (OSError, smtplib.SMTPException) as error:
            print(f"{source}: {error!r}", file=sys.stderr)
            failed += 1
    print(json.dumps({"hosts": dict(sorted(hosts.items())), "failed": failed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
