# SPDX-License-Identifier: GPL-2.0-only
"""A person's terminal, joined to the console shell of a guest."""

import os
import pathlib
import select
import socket
import sys
import termios
import tty

# Ctrl-], as telnet has it.
ESCAPE = b"\x1d"


def attach(path: pathlib.Path) -> None:
    """Talk to the shell behind a socket until Ctrl-] or its end."""
    with socket.socket(socket.AF_UNIX) as link:
        # The path of a socket may not exceed 107 bytes, a checkout's may.
        here = os.open(path.parent, os.O_PATH)
        try:
            link.connect(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)
        if not sys.stdin.isatty():
            _join(link)
            return
        print("(leave with Ctrl-])")
        before = termios.tcgetattr(sys.stdin)
        try:
            tty.setraw(sys.stdin)
            link.sendall(b"\r")
            _join(link)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            print()


def _join(link: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    while True:
        readable, _, _ = select.select([link, sys.stdin], [], [])
        if link in readable:
            data = link.recv(65536)
            if not data:
                return
            os.write(sys.stdout.fileno(), data)
        if sys.stdin in readable:
            data = os.read(sys.stdin.fileno(), 65536)
            before, escape, _ = data.partition(ESCAPE)
            if before:
                link.sendall(before)
            if escape or not data:
                return
