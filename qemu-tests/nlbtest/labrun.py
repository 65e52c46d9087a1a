# SPDX-License-Identifier: GPL-2.0-only
"""Runs one scenario of several guests, in a lab of its own."""

import os
import pathlib
import signal
import subprocess

from . import guest, paths, scenario
from .lab import Lab
from .programs import Programs

HOSTS = 3


def run(one: scenario.Scenario, built: Programs, log: pathlib.Path) -> tuple[str, list[str]]:
    """The scenario's results as KTAP text, and the kernels' complaints."""
    lab = Lab(paths.LOGS / one.name)
    results = lab.dir / "ktap"
    try:
        # Attended by this process: the guests end with it.
        lab.make(built, f"nlb-test-{os.getpid()}", HOSTS, detached=False)
        for number in range(1, HOSTS + 1):
            lab.set_up_network(number)
        lab.make_key()
        _script(one, lab, results, log)
        return results.read_text(), lab.splats()
    finally:
        lab.remove()


def _script(one: scenario.Scenario, lab: Lab, results: pathlib.Path, log: pathlib.Path) -> None:
    """Run the scenario's own commands; the time limit counts for these."""
    environment = os.environ | {"NLB_LAB_DIR": str(lab.dir)}
    with open(log, "wb") as out, open(results, "wb") as ktap:
        process = subprocess.Popen(
            ["bash", "-c", 'exec 4>&"$1"; exec "$2" "$3"', "run", str(ktap.fileno()),
             str(paths.TESTS / "guests" / "run.sh"), str(one.path)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
            pass_fds=(ktap.fileno(),), start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(one.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise guest.GuestError(f"not finished after {one.timeout} s") from None
