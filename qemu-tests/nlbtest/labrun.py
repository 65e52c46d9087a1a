# SPDX-License-Identifier: GPL-2.0-only
"""Runs one scenario of several guests, in a lab of its own, of the kind that it names."""

import os
import pathlib
import signal
import subprocess

from . import guest, paths, scenario, system
from .lab import Lab
from .programs import Programs

HOSTS = 3


def run(
    one: scenario.Scenario, built: Programs, log: pathlib.Path, told: pathlib.Path | None = None
) -> tuple[str, list[str]]:
    """The scenario's results as KTAP text, and the kernels' complaints.

    What it tells people (`tell` in qemu-tests/stories/verbs.sh) goes to the file `told`, if there is one.
    """
    kind, boot = KINDS[one.topology]
    lab = kind(paths.LOGS / one.name)
    results = lab.dir / "ktap"
    try:
        # Attended by this process: the guests end with it.
        boot(one, built, lab)
        _script(one, lab, results, log, told or pathlib.Path(os.devnull))
        return results.read_text(), lab.splats()
    finally:
        lab.remove()


def _guests(_one: scenario.Scenario, built: Programs, lab: Lab) -> None:
    """Guests with our own initial file system; their web servers run."""
    lab.make(built, f"nlb-test-{os.getpid()}", HOSTS, detached=False)
    for number in lab.guests:
        lab.set_up_network(number)
    lab.make_key()


def _systems(one: scenario.Scenario, built: Programs, lab: system.SystemLab) -> None:
    """Ordinary systems, as their boot leaves them."""
    lab.make(built, f"nlb-test-{os.getpid()}", one.hosts, detached=False, variant=one.system)
    for number in lab.guests:
        lab.host(number).wait_running()


# The lab of each topology, and what is done before its scenarios.
KINDS = {"guests": (Lab, _guests), "systemd": (system.SystemLab, _systems)}


def _script(
    one: scenario.Scenario, lab: Lab, results: pathlib.Path, log: pathlib.Path, told: pathlib.Path
) -> None:
    """Run the scenario's own commands; the time limit counts for these."""
    environment = os.environ | {"NLB_LAB_DIR": str(lab.dir)}
    with open(log, "wb") as out, open(results, "wb") as ktap, open(told, "ab") as people:
        process = subprocess.Popen(
            ["bash", "-c", 'exec 4>&"$1" 5>&"$2"; exec "${@:3}"', "run", str(ktap.fileno()), str(people.fileno()),
             str(paths.TESTS / "guests" / "run.sh"), str(one.path), one.topology],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
            pass_fds=(ktap.fileno(), people.fileno()), start_new_session=True,
        )  # fmt: skip
        try:
            _wait(process, lab, one.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise guest.GuestError(f"not finished after {one.timeout} s") from None
        except BaseException:
            # It has a session of its own, which the terminal's Ctrl-C does not reach.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def _wait(process: subprocess.Popen, lab: Lab, seconds: float) -> None:
    """Wait for its end; time in which a guest waits for a processor does not count."""
    deadline = lab.clock() + seconds
    while True:
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            if lab.clock() > deadline:
                raise
