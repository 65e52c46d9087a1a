# SPDX-License-Identifier: GPL-2.0-only
"""Runs scenarios: groups them by the guest they need, boots it, counts."""

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import itertools
import os
import pathlib
import shutil
import threading
import time

from . import debugkernel, guest, ktap, labrun, paths, payload, scenario, segment
from .programs import Programs

LOGS = paths.LOGS

# A namespace for each host, thousands of sockets, captures on tmpfs.
MEMORY_MIB = 1024

# Guests running at once: emulation keeps one processor busy each.
PARALLEL = 2

_print_lock = threading.Lock()
_started = time.monotonic()


def say(text: str) -> None:
    """A line of progress, whole, with the time since the start."""
    with _print_lock:
        print(f"[{time.monotonic() - _started:4.0f}s] {text}", flush=True)


@dataclasses.dataclass
class Total:
    """Sum of all results."""

    passed: int = 0
    failed: int = 0

    def add(self, other: "Total") -> None:
        """Add another sum to this one."""
        self.passed += other.passed
        self.failed += other.failed


def boot(one: scenario.Scenario, programs: Programs, fresh: guest.Guest) -> None:
    """Boot the guest that a scenario needs; what is in its directory goes."""
    shutil.rmtree(fresh.dir, ignore_errors=True)
    shape = guest.Shape(
        release=programs.release,
        payload=payload.make(programs.release, programs.files, fresh.dir.with_suffix(".initrd")),
        memory_mib=MEMORY_MIB,
        cpus=one.cpus,
        pace=one.pace,
        counted_clock=one.counted(debugkernel.is_debug(programs.release)),
    )
    fresh.boot(shape)
    fresh.wait_ready(guest.BOOT_SECONDS * debugkernel.patience(programs.release))
    # A kernel that has complained may check nothing any more.
    if fresh.splats():
        raise guest.GuestError(f"{fresh.name}: its kernel complained before anything ran")


class Worker:
    """Runs scenarios of one kind, one after the other, in one guest."""

    def __init__(self, programs: Programs, name: str):
        self.programs = programs
        self.name = name
        self.guest: guest.Guest | None = None
        self.boots = itertools.count(1)
        self.total = Total()

    def run(self, queue: list[scenario.Scenario]) -> Total:
        """Run the scenarios of a queue until it is empty."""
        try:
            while True:
                with _print_lock:
                    if not queue:
                        break
                    one = queue.pop(0)
                self._run_one(one)
            self._check_leaks()
        finally:
            self._stop()
        return self.total

    def _check_leaks(self) -> None:
        """On the debug kernel, at the end of a guest: memory that nlb has lost."""
        if self.guest is None or not debugkernel.is_debug(self.programs.release):
            return
        try:
            found = debugkernel.leaks(self.guest)
        except guest.GuestError as error:
            found = [str(error)]
        self.total.add(Total(0, 1) if found else Total(1, 0))
        say(f"{'FAILED' if found else 'ok':6} {self.guest.name}: nlb leaks no memory")
        if found:
            log = LOGS / f"{self.guest.name}.kmemleak"
            log.write_text("\n".join(found) + "\n")
            say("       " + "\n       ".join(found[:20]))
            say(f"       log: {_shown(log)}")

    def _stop(self) -> None:
        if self.guest:
            self.guest.power_off()
            self.guest = None

    def _boot(self, one: scenario.Scenario) -> guest.Guest:
        self.guest = guest.Guest(LOGS / f"{self.name}-{next(self.boots)}")
        boot(one, self.programs, self.guest)
        return self.guest

    def _run_one(self, one: scenario.Scenario) -> None:
        began = time.monotonic()
        log = LOGS / f"{one.name}.log"
        trouble: list[str] = []
        text = ""
        clean = False
        try:
            if one.has_lab:
                text, splats = labrun.run(one, self.programs, log)
                trouble += [f"kernel: {line}" for line in splats[:5]]
                self._report(one, text, trouble, log, time.monotonic() - began)
                return
            machine = self.guest or self._boot(one)
            splats_before = len(machine.splats())
            results = machine.dir / "ktap"
            offset = results.stat().st_size
            with open(log, "w", encoding="utf-8") as out:
                ident = machine.start(f"exec /nlb/run {one.name}")
                seconds = one.timeout * debugkernel.patience(self.programs.release)
                machine.finish(ident, seconds, lambda line: _write(out, line))
            text = results.read_bytes()[offset:].decode(errors="replace")
            splats = machine.splats()[splats_before:]
            trouble += [f"kernel: {line}" for line in splats[:5]]
            clean = not splats
        except (guest.GuestError, segment.SegmentError) as error:
            trouble.append(str(error))
            if self.guest:
                trouble += [f"kernel: {line}" for line in self.guest.splats()[:5]]
                results = self.guest.dir / "ktap"
                if results.exists():
                    text = results.read_text(errors="replace")
        self._report(one, text, trouble, log, time.monotonic() - began)
        if not clean and self.guest:
            # After a splat or a hang nothing that follows would mean anything.
            self._keep_console(one)
            self.guest.power_cut()
            self.guest = None

    def _keep_console(self, one: scenario.Scenario) -> None:
        shutil.copyfile(self.guest.dir / "console.log", LOGS / f"{one.name}.console")

    def _report(self, one, text: str, trouble: list[str], log: pathlib.Path, seconds: float) -> None:
        results = ktap.parse(text.rpartition("KTAP version 1")[2])
        results.settle()
        results.failed += trouble
        self.total.add(Total(len(results.passed), len(results.failed)))
        verdict = "FAILED" if results.failed else "ok"
        say(f"{verdict:6} {one.name}: {len(results.passed)} passed ({seconds:.0f} s)")
        if not results.failed:
            return
        for line in results.failed:
            say(f"       not ok: {line}")
        if trouble and self.guest:
            say("       the end of its console:\n" + self.guest.console_tail())
        say(f"       log: {_shown(log)}")


def _shown(path: pathlib.Path) -> str:
    """A path as a person types it from the checkout."""
    return os.path.relpath(path, paths.ROOT)


@contextlib.contextmanager
def alone():
    """Two runs at once would overwrite each other's logs: the second waits."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(LOGS / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run uses {_shown(LOGS)}, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(out, line: str) -> None:
    out.write(line + "\n")
    out.flush()


def run(chosen: list[scenario.Scenario], programs: Programs) -> Total:
    """Run scenarios, as many guests at once as `PARALLEL` allows."""
    total = Total()
    debug = debugkernel.is_debug(programs.release)
    kinds: dict[tuple, list[scenario.Scenario]] = {}
    for one in chosen:
        kinds.setdefault(one.kind(debug), []).append(one)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        running = []
        for number, queue in enumerate(kinds.values()):
            # Long ones first, so that the guests end at about the same time.
            queue.sort(key=lambda one: -one.timeout)
            # A kind with many scenarios gets two guests that share its queue.
            # Those of several guests run one at a time: each is the only lab of its run.
            shared = not queue[0].has_lab and (len(kinds) == 1 or len(queue) > 4)
            for share in range(min(PARALLEL, len(queue)) if shared else 1):
                worker = Worker(programs, f"guest{number}{chr(97 + share)}")
                running.append(pool.submit(worker.run, queue))
        for future in running:
            total.add(future.result())
    return total
