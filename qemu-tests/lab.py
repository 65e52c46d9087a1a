# SPDX-License-Identifier: GPL-2.0-only
"""A cluster of three guests that stays up.

  lab up                 boot it and join the cluster
  lab down               remove it
  lab shell N            a terminal in host N (leave with Ctrl-])
  lab exec N SCRIPT      run a bash script in host N
  lab client CMD…        run a command as the client; "tt" is the test tool
  lab cut N, lab boot N  cut host N's power; boot it and join again
  lab join N OPTION…     load the module in host N and join, with options of nlbadm up
  lab unplug N, plug N   pull the cable of host N's network card; plug it in
"""

import argparse
import os
import pathlib
import sys

sys.dont_write_bytecode = True

from nlbtest import guest, lab, paths, programs, segment, terminal  # noqa: E402

HOSTS = 3
WAIT_SECONDS = 60


def up(directory: pathlib.Path) -> None:
    """Boot the lab and make it a cluster."""
    if (directory / "lab.json").exists():
        running = lab.Lab.existing(directory)
        if any(machine.alive() for machine in running.guests.values()):
            raise lab.LabError("the lab is up already; make lab-down removes it")
        running.remove()
    out = lab.Progress()
    fresh = lab.Lab(directory)
    ids = list(range(1, HOSTS + 1))
    try:
        fresh.make(programs.build(), f"nlb-lab-{os.getpid()}", HOSTS, detached=True)
        for number in ids:
            fresh.set_up_network(number)
            out.say(f"host {number} is up")
        fresh.make_key()
        for number in ids:
            fresh.join(number)
        fresh.wait_members(ids, ids, WAIT_SECONDS)
    except BaseException:
        fresh.remove()
        raise
    out.say("the lab is up: make lab-shell HOST=2, qemu-tests/lab --help, make lab-down")


def rejoin(running: lab.Lab, number: int, options: list[str]) -> None:
    """Boot a host whose power was cut, and let it join again."""
    if running.host(number).alive():
        raise lab.LabError(f"host {number} is running")
    running.boot(number)
    running.set_up_network(number)
    running.join(number, *options)


def act(verb: str, words: list[str], directory: pathlib.Path) -> int:
    """One verb on a lab that is up."""
    running = lab.Lab.existing(directory)
    if verb == "down":
        running.remove()
        return 0
    if verb == "client":
        if not words:
            raise lab.LabError("which command? try: lab client ip neigh")
        return running.client(*words).wait()
    if not words or not words[0].isdigit():
        raise lab.LabError(f"which host? lab {verb} 2")
    number = int(words[0])
    machine = running.host(number)
    if verb == "shell":
        terminal.attach(machine.dir / "shell")
    elif verb == "exec":
        ident = machine.start(" ".join(words[1:]))
        return machine.finish(ident, 3600, lambda line: print(line, flush=True)).code
    elif verb == "cut":
        machine.power_cut()
    elif verb == "boot":
        rejoin(running, number, words[1:])
    elif verb == "join":
        running.join(number, *words[1:])
    else:
        machine.set_cable(verb == "plug")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="qemu-tests/lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=pathlib.Path, default=paths.BUILD / "lab", help=argparse.SUPPRESS)
    verbs = ["up", "down", "shell", "exec", "client", "cut", "boot", "join", "unplug", "plug"]
    parser.add_argument("verb", choices=verbs)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    try:
        if args.verb == "up":
            up(args.dir)
            return 0
        return act(args.verb, args.words, args.dir)
    except (lab.LabError, segment.SegmentError, guest.GuestError, programs.BuildError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
