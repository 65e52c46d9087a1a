# SPDX-License-Identifier: GPL-2.0-only
"""The demonstration: three guests are one web server, and one of them dies."""

import os
import pathlib

from . import guest, paths, segment
from .lab import Lab, LabError, Progress, finish_requests
from .programs import Programs

HOSTS = 3
VICTIM = 2
REQUESTS = 3000

# Each of 3,000 clients goes to a host by a hash: one share's standard
# deviation is 0.86 points, so this is beyond four of them.
SPLIT_TOLERANCE = 4.0

# The client starts a request this often, in ms, from so many addresses.
LOAD_INTERVAL = 10
LOAD_SOURCES = 300

# A busy machine emulates three guests on two processors: waits are generous,
# and what matters is printed.
WAIT_SECONDS = 60


class DemoFailed(Exception):
    """Something is not as promised."""


class Demo:
    """One run."""

    def __init__(self, built: Programs):
        self.built = built
        self.lab = Lab(paths.BUILD / "demo")
        self.out = Progress()
        self.ids = list(range(1, HOSTS + 1))

    def run(self) -> None:
        """All of it; clean-up included."""
        try:
            self._start()
            self._show_members()
            self._show_neighbour()
            self._show_split("3,000 requests from as many addresses", self.ids)
            self._power_cut()
            self._return()
            if splats := self.lab.splats():
                raise DemoFailed("a kernel complained:\n" + "\n".join(splats))
        finally:
            self.lab.remove()

    def _start(self) -> None:
        self.out.say(f"{HOSTS} guests boot kernel {self.built.release}, unmodified, each with its own memory")
        self.lab.make(self.built, f"nlb-demo-{os.getpid()}", HOSTS, detached=False)
        for number in self.ids:
            self.lab.set_up_network(number, self.out.say)
            self.out.say(f"host {number} is up: 10.0.0.{number}, nginx runs")
        self.lab.make_key()
        for number in self.ids:
            self.lab.join(number)
            self.out.say(f"host {number}: insmod nlb.ko, nlbadm up eth0 --host-id {number} --vip {segment.VIP} …")
        self.lab.wait_members(self.ids, self.ids, WAIT_SECONDS)

    def _show_members(self) -> None:
        self.out.say()
        self.out.say("converged; host 1 says:")
        self.out.say(_indent(self.lab.host(1).check("nlbadm show eth0")))

    def _show_neighbour(self) -> None:
        self.lab.requests("--count", "1")
        mac = self.lab.segment.neighbour()
        self.out.say()
        self.out.say(f"the client's neighbour entry: {segment.VIP} lladdr {mac}")
        if mac != segment.VIRTUAL_MAC:
            raise DemoFailed(f"the client learned {mac}, the virtual MAC is {segment.VIRTUAL_MAC}")
        if segment.VIRTUAL_MAC in self.lab.segment.learned():
            raise DemoFailed("the bridge has learned the virtual MAC")

    def _show_split(self, what: str, hosts: list[int]) -> None:
        self.out.say()
        self.out.say(f"{what}:")
        report = self.lab.requests("--count", str(REQUESTS), "--sources", str(REQUESTS))
        counts = {int(host): count for host, count in report["hosts"].items()}
        for host in hosts:
            share = 100 * counts.get(host, 0) / REQUESTS
            self.out.say(f"  host {host}  {counts.get(host, 0):5}  {share:5.1f} %  " + "#" * round(share))
        self.out.say(f"  failed  {REQUESTS - report['answered']:5}")
        if report["answered"] != REQUESTS:
            raise DemoFailed(f"{REQUESTS - report['answered']} requests failed: {report['failures']}")
        for host in hosts:
            off = abs(100 * counts.get(host, 0) / REQUESTS - 100 / len(hosts))
            if off > SPLIT_TOLERANCE:
                raise DemoFailed(f"host {host} is {off:.1f} points off its share")

    def _power_cut(self) -> None:
        self.out.say()
        self.out.say(f"power cut of host {VICTIM}, while a request starts every {LOAD_INTERVAL} ms:")
        stop = pathlib.Path(self.lab.dir / "load.end").absolute()
        stop.unlink(missing_ok=True)
        load = self.lab.start_requests(
            "--sources", str(LOAD_SOURCES), "--interval-ms", str(LOAD_INTERVAL),
            "--timeout-ms", "4000", "--until", str(stop),
        )  # fmt: skip
        try:
            # One round of all addresses, so that each client has its host.
            self._watch(load, LOAD_SOURCES * LOAD_INTERVAL / 1000 + 1)
            self.lab.host(VICTIM).power_cut()
            self.out.say(f"  host {VICTIM} is dead")
            rest = [number for number in self.ids if number != VICTIM]
            self.lab.wait_members(rest, rest, WAIT_SECONDS)
            self.out.say(f"  hosts {' and '.join(map(str, rest))} have agreed without it")
            self._watch(load, LOAD_SOURCES * LOAD_INTERVAL / 1000 + 1)
        finally:
            stop.touch()
        self._report_cut(finish_requests(load))

    def _watch(self, load, seconds: float) -> None:
        """Let the load run for a while; notice if it ends by itself."""
        try:
            load.wait(seconds)
        except Exception:  # noqa: BLE001 - the time is over, as wanted
            return
        raise DemoFailed("the client's load tool ended early")

    def _report_cut(self, report: dict) -> None:
        for host, group in sorted(report["by_first_host"].items()):
            self.out.say(
                f"  clients of host {host}: {group['requests']} requests, {group['failed']} failed, "
                f"{group['late']} answered only after a repeated SYN, gap {group['gap_ms']} ms"
            )
        others = sum(
            group["failed"] for host, group in report["by_first_host"].items() if int(host) != VICTIM
        )
        if others:
            raise DemoFailed(f"{others} requests of the other hosts' clients failed")
        if str(VICTIM) not in report["by_first_host"]:
            raise DemoFailed(f"host {VICTIM} served nobody before its power was cut")

    def _return(self) -> None:
        self.out.say()
        self.out.say(f"host {VICTIM} boots again")
        self.lab.boot(VICTIM)
        self.lab.set_up_network(VICTIM, self.out.say)
        self.lab.join(VICTIM)
        self.lab.wait_members(self.ids, self.ids, WAIT_SECONDS)
        self._show_split("it is back; 3,000 requests again", self.ids)


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def main(built: Programs) -> int:
    """Run it; the exit code."""
    try:
        Demo(built).run()
    except (DemoFailed, LabError, guest.GuestError, segment.SegmentError) as error:
        print(f"demo: FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything is removed")
        return 130
    print("demo: ok")
    return 0
