# SPDX-License-Identifier: GPL-2.0-only
"""A cluster of several guests and a client, for people and for scenarios."""

import dataclasses
import fcntl
import json
import pathlib
import shutil
import subprocess
import sys
import time

from . import guest, payload, programs, segment

# Enough for the kernel, nginx and the module; the payload comes on top.
MEMORY_MIB = 208

# What machines say of their generation at first, and once they were told that they were set back.
GENERATIONS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")


class LabError(Exception):
    """The lab is not in the state that was asked for."""


@dataclasses.dataclass
class Plan:
    """What a lab is made of; kept in its directory."""

    name: str
    hosts: int
    release: str
    payload: str
    client_tool: str
    detached: bool
    # The process that holds the segment's namespace.
    holder: int


class Lab:
    """A lab by its directory."""

    PLAN = Plan

    def __init__(self, directory: pathlib.Path):
        self.dir = directory
        self.plan: Plan | None = None
        self.guests: dict[int, guest.Guest] = {}
        # Made by another process, which may outlive this one or not.
        self.attached = False
        self._lock = None
        self.segment: segment.Segment | None = None

    # Life

    def make(self, built: programs.Programs, name: str, hosts: int, detached: bool) -> None:
        """Make the segment and start all guests; `set_up_network` waits for each."""
        self._clear()
        image = payload.make(built.release, built.files, self.dir / "initrd")
        tool = str(built.files["bin/tt"])
        self.segment = segment.Segment.make(name, hosts, detached)
        self._start(Plan(name, hosts, built.release, str(image), tool, detached, self.segment.holder))

    def _clear(self) -> None:
        """An empty directory."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)

    def _start(self, plan: Plan) -> None:
        """Start the guests that are planned, and note the plan for other processes."""
        self.plan = plan
        (self.dir / "lab.json").write_text(json.dumps(dataclasses.asdict(plan)))
        self._lock = open(self.dir / "owner", "w", encoding="utf-8")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._attach()
        for number in self.guests:
            self.boot(number)

    @classmethod
    def existing(cls, directory: pathlib.Path) -> "Lab":
        """A lab that another process has made."""
        lab = cls(directory)
        lab.attached = True
        try:
            lab.plan = cls.PLAN(**json.loads((directory / "lab.json").read_text()))
        except FileNotFoundError:
            raise LabError("no lab is up: start one with make lab") from None
        lab._attach()
        return lab

    def _attach(self) -> None:
        self.segment = self._segment()
        for number in range(1, self.plan.hosts + 1):
            self.guests[number] = self._guest(number)

    # What another kind of lab has others of.

    def _segment(self) -> segment.Segment:
        return segment.Segment(self.plan.name, self.plan.holder)

    def _guest(self, number: int) -> guest.Guest:
        return guest.Guest(self.dir / f"host{number}")

    def _shape(self, number: int) -> guest.Shape:
        return guest.Shape(
            release=self.plan.release,
            payload=pathlib.Path(self.plan.payload),
            memory_mib=MEMORY_MIB + payload.memory_mib(pathlib.Path(self.plan.payload)),
            taps=[(f"t{number}", segment.mac(number)), (f"u{number}", segment.mac(number, 1))],
            within=self.segment.command([]),
            detached=self.plan.detached,
            lives_with=self._owner() if self.attached else None,
            generation=GENERATIONS[0],
        )

    # Single guests

    def _owner(self) -> pathlib.Path | None:
        """The lock that the maker of an attended lab holds."""
        return None if self.plan.detached else self.dir / "owner"

    def boot(self, number: int, **other) -> None:
        """Start one guest, of another shape if so told. What its last life left is kept beside it."""
        machine = self.host(number)
        if machine.dir.exists():
            old = machine.dir.with_name(f"{machine.name}.before")
            shutil.rmtree(old, ignore_errors=True)
            machine.dir.rename(old)
            machine = self.guests[number] = self._guest(number)
        machine.boot(dataclasses.replace(self._shape(number), **other))

    def _saved(self, number: int) -> pathlib.Path:
        return self.dir.absolute() / f"saved{number}"

    def snapshot(self, number: int) -> None:
        """Save a guest as it is."""
        self.host(number).save(self._saved(number))

    def revert(self, number: int, told: bool) -> None:
        """Set a guest back to what was saved; the machine tells it so, or does not."""
        self.host(number).power_cut()
        self.boot(number, saved=self._saved(number), generation=GENERATIONS[told])
        self.host(number).go_on()

    def remove(self) -> None:
        """End all guests and remove the segment."""
        for machine in self.guests.values():
            if (machine.dir / "pid").exists():
                machine.power_cut()
                # Another process may have booted it again (lab boot).
                guest.Guest(machine.dir).power_cut()
        if self.segment:
            self.segment.remove()
        (self.dir / "lab.json").unlink(missing_ok=True)

    def host(self, number: int) -> guest.Guest:
        """A guest by its host id."""
        if number not in self.guests:
            raise LabError(f"there is no host {number}: the lab has 1 to {self.plan.hosts}")
        return self.guests[number]

    def set_cable(self, number: int, plugged: bool) -> None:
        """Pull the cable of a host's card on the segment, or plug it in again."""
        self.host(number).set_cable(plugged)

    # The cluster

    def set_up_network(self, number: int, tell=None) -> None:
        """Addresses, the web server; no cluster yet. `tell` is called with a line while the guest boots."""
        self.host(number).wait_ready(tell=tell)
        self.host(number).check(f"/nlb/lab-host network {number}")

    def make_key(self) -> str:
        """A fresh key file's text, the same for all hosts."""
        text = self.host(1).check("nlbadm genkey")
        (self.dir / "key").write_text(text + "\n")
        return text

    def join(self, number: int, *options: str) -> None:
        """Load the module and make the host a member."""
        key = (self.dir / "key").read_text()
        words = " ".join(options)
        self.host(number).check(
            f"umask 077; cat >/run/key <<'END'\n{key}END\n/nlb/lab-host join {number} {words}"
        )

    def view(self, number: int) -> dict:
        """What `nlbadm -j show` says on a host."""
        return json.loads(self.host(number).check("nlbadm -j show eth0"))

    def wait_members(self, on: list[int], members: list[int], seconds: float) -> None:
        """Wait until the hosts `on` all see exactly `members` converged."""
        wanted = " ".join(map(str, members))
        for number in on:
            self.host(number).check(f"/nlb/lab-host wait-members {seconds:.0f} {wanted}", seconds + 30)

    # The client

    def client(self, *words: str, **options) -> subprocess.Popen:
        """Start a command in the segment's namespace; "tt" is the test tool."""
        command = list(words)
        if command[0] == "tt":
            command[0] = self.plan.client_tool
        return subprocess.Popen(self.segment.command(command), **options)

    def requests(self, *options: str) -> dict:
        """Run `tt connect` to its end; its report."""
        process = self.start_requests(*options)
        return finish_requests(process)

    def start_requests(self, *options: str) -> subprocess.Popen:
        """Start `tt connect` from the client's addresses to the VIP."""
        return self.client(
            "tt", "connect", "--to", f"{segment.VIP}:80", "--from", segment.SOURCES, *options,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def clock(self) -> float:
        """Seconds that pass while the guests run or sleep, but not while one waits for a processor."""
        return min((machine.clock() for machine in self.guests.values()), default=time.monotonic())

    def splats(self) -> list[str]:
        """Kernel complaints of all guests, dead ones included."""
        found = []
        for directory in sorted(self.dir.glob("host*")):
            machine = guest.Guest(directory)
            found += [f"{directory.name}: {line}" for line in machine.splats()]
        return found


def finish_requests(process: subprocess.Popen) -> dict:
    """Wait for `tt connect`; its report."""
    text, _ = process.communicate()
    if process.returncode != 0:
        raise LabError(f"the client's load tool failed ({process.returncode})")
    return json.loads(text)


class Progress:
    """Lines for a person who watches: what happens, and since when."""

    def __init__(self):
        self.began = time.monotonic()

    def say(self, text: str = "") -> None:
        """One line with the time since the beginning."""
        for line in text.splitlines() or [""]:
            print(f"[{time.monotonic() - self.began:5.1f}s] {line}", flush=True)
        sys.stdout.flush()
