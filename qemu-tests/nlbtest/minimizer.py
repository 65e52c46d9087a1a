# SPDX-License-Identifier: GPL-2.0-only
"""Finds the steps of a failing sequence that matter, and keeps them."""

import collections.abc
import dataclasses
import itertools
import os
import pathlib
import re
import shlex

from . import debugkernel, guest, paths, runner, scenario, splat
from .programs import Programs

SCENARIO = "lifetimes-model"
KEPT = paths.TESTS / "sequences"

# A step as tt prints it before it happens: its number, and who does it.
_STEP = re.compile(r"^(\d+) (devices|first|second) ")
_FAILED = re.compile(r"FAILED ([a-z]+)")
# What differs between two reports of one fault in the kernel.
_VARIABLE = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+")


class NothingFails(Exception):
    """The sequence does not fail, so there is nothing to look for."""


@dataclasses.dataclass
class Sequence:
    """All steps of a seed."""

    seed: int
    events: int
    plant: str = ""

    def environment(self, only: str) -> str:
        """What tells the scenario which steps to run, as words of the shell."""
        words = {"SEED": str(self.seed), "EVENTS": str(self.events), "PLANT": self.plant, "ONLY": only}
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in words.items() if value)


@dataclasses.dataclass
class Trial:
    """What came of a run: how it failed, if it did, and the steps that were begun."""

    failure: str | None
    begun: list[int]


def ranges(numbers: collections.abc.Iterable[int]) -> str:
    """Numbers in the form that tt reads: 1-20,33."""
    text = []
    for _, group in itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        text.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(text)


def failure_of(text: str, splats: list[str], ended: bool) -> str | None:
    """In one word or line how a run failed: the kernel's complaint counts more than what followed from it."""
    if splats:
        return _VARIABLE.sub("N", re.sub(r"^\[ *[\d.]+\] *", "", splats[0]))
    if found := _FAILED.search(text):
        return found[0]
    if not ended:
        return "no end"
    return None


def shortest(steps: list[int], fails: collections.abc.Callable[[list[int]], bool]) -> list[int]:
    """The delta debugging of Zeller and Hildebrandt: of steps that fail, those without any of which they do not."""
    parts = 2
    while len(steps) >= 2:
        size = -(-len(steps) // parts)
        chunks = [steps[at : at + size] for at in range(0, len(steps), size)]
        without = ([step for step in steps if step not in set(chunk)] for chunk in chunks)
        if found := next((rest for rest in without if rest and fails(rest)), None):
            steps, parts = found, max(parts - 1, 2)
        elif parts >= len(steps):
            break
        else:
            parts = min(parts * 2, len(steps))
    return steps


class Bench:
    """Runs trials, each in a fresh guest."""

    def __init__(self, programs: Programs, sequence: Sequence):
        self.programs = programs
        self.sequence = sequence
        self.one = scenario.load(paths.TESTS / "scenarios" / f"{SCENARIO}.sh")
        self.trials = 0

    def _boot(self) -> guest.Guest:
        machine = guest.Guest(paths.LOGS / "minimize")
        runner.boot(self.one, self.programs, machine)
        return machine

    def run(self, only: str) -> Trial:
        """One run of these steps."""
        self.trials += 1
        machine = self._boot()
        lines: list[str] = []
        ended = False
        try:
            script = f"{self.sequence.environment(only)} exec /nlb/run {SCENARIO}"
            seconds = self.one.timeout * debugkernel.patience(self.programs.release)
            machine.finish(machine.start(script), seconds, lines.append)
            ended = True
        except guest.GuestError as error:
            lines.append(str(error))
        finally:
            machine.power_cut()
        (paths.LOGS / "minimize.log").write_text("\n".join(lines) + "\n")
        begun = [int(found[1]) for line in lines if (found := _STEP.match(line))]
        return Trial(failure_of("\n".join(lines), splat.find(machine.dir / "console.log"), ended), begun)

    def lines(self, only: str) -> str:
        """These steps as lines."""
        machine = self._boot()
        try:
            sequence = f"--seed {self.sequence.seed} --events {self.sequence.events}"
            return machine.check(f"tt model {sequence} --only {shlex.quote(only)} --list")
        finally:
            machine.power_off()


def minimize(programs: Programs, sequence: Sequence, only: str, tries: int) -> pathlib.Path:
    """Look for the steps that matter, and write them to a file of `KEPT`; its path."""
    bench = Bench(programs, sequence)
    for _ in range(tries):
        first = bench.run(only)
        if first.failure:
            break
    else:
        raise NothingFails(f"seed {sequence.seed}: {len(first.begun)} steps, and none of them fails")
    failure = first.failure
    runner.say(f"{len(first.begun)} steps: {failure}")

    def fails(steps: list[int]) -> bool:
        for _ in range(tries):
            if bench.run(ranges(steps)).failure == failure:
                runner.say(f"{len(steps)} steps: the same")
                return True
        runner.say(f"{len(steps)} steps: not so")
        return False

    steps = shortest(first.begun, fails)
    text = bench.lines(ranges(steps))
    runner.say(f"{len(steps)} steps are left after {bench.trials} runs")
    return _keep(sequence, failure, programs.release, text)


def _keep(sequence: Sequence, failure: str, release: str, text: str) -> pathlib.Path:
    KEPT.mkdir(exist_ok=True)
    word = re.sub(r"[^a-z]+", "-", failure.removeprefix("FAILED ").lower()).strip("-")[:24]
    kept = KEPT / f"{word}-{sequence.seed}.steps"
    head = (
        "# SPDX-License-Identifier: GPL-2.0-only\n"
        f"# {failure}: seed {sequence.seed}, {sequence.events} events, {release}\n"
    )
    kept.write_text(head + text + "\n")
    return pathlib.Path(os.path.relpath(kept, paths.ROOT))
