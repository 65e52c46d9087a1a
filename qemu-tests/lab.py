# SPDX-License-Identifier: GPL-2.0-only
"""A cluster of three guests that stays up.

  lab up                 boot it and join the cluster
  lab up SYSTEM          boot ordinary Debian systems instead, without nlb; SYSTEM is a
                         variant of scripts/setup-system.sh (networkd)
  lab down               remove it
  lab shell N            a terminal in host N (leave with Ctrl-])
  lab exec N SCRIPT      run a bash script in host N
  lab client CMD…        run a command as the client; "tt" is the test tool
  lab copy N DIR FILE…   copy files into a directory of host N; of SYSTEM only
  lab cut N, lab boot N  cut host N's power; boot it and join again
  lab off N              shut host N down; of SYSTEM only
  lab reboot N           restart host N; of SYSTEM only
  lab kernel N RELEASE   let host N, which is off, boot another kernel of its /boot; of SYSTEM only
  lab join N OPTION…     load the module in host N and join, with options of nlbadm up
  lab unplug N, plug N   pull the cable of host N's network card; plug it in
  lab freeze N, thaw N   hold host N up, as a storage stall does to its machine; let it go on
"""

import argparse
import os
import pathlib
import sys

sys.dont_write_bytecode = True

from nlbtest import guest, lab, paths, programs, segment, system, terminal  # noqa: E402

HOSTS = 3
WAIT_SECONDS = 60


def clear(directory: pathlib.Path) -> None:
    """Remove what is left of an old lab, but none that is up."""
    if (directory / "lab.json").exists():
        running = system.existing(directory)
        if any(machine.alive() for machine in running.guests.values()):
            raise lab.LabError("the lab is up already; make lab-down removes it")
        running.remove()


def up(directory: pathlib.Path) -> None:
    """Boot the lab and make it a cluster."""
    clear(directory)
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


def up_systems(directory: pathlib.Path, variant: str) -> None:
    """Boot ordinary systems."""
    clear(directory)
    out = lab.Progress()
    fresh = system.SystemLab(directory)
    try:
        fresh.make(programs.build(), f"nlb-lab-{os.getpid()}", HOSTS, detached=True, variant=variant)
        for number in fresh.guests:
            fresh.host(number).wait_running()
            out.say(f"host {number} is up")
    except BaseException:
        fresh.remove()
        raise
    out.say("the systems are up: make lab-shell HOST=2, qemu-tests/lab --help, make lab-down")


def rejoin(running: lab.Lab, number: int, options: list[str]) -> None:
    """Boot a host whose power was cut, and let it join again."""
    if running.host(number).alive():
        raise lab.LabError(f"host {number} is running")
    running.boot(number)
    running.set_up_network(number)
    running.join(number, *options)


def act_on_system(running: system.SystemLab, verb: str, number: int, words: list[str]) -> None:
    """Verbs that ordinary systems have, or have in another form."""
    if verb == "boot":
        running.boot_again(number, whole=words != ["degraded"])
    elif verb == "off":
        running.host(number).shut_down()
    elif verb == "kernel":
        if len(words) != 1:
            raise lab.LabError("which kernel? lab kernel 2 7.3.4+deb13-amd64")
        running.choose_kernel(number, words[0])
    elif verb == "reboot":
        running.reboot(number)
    elif len(words) < 2:
        raise lab.LabError("which directory and files? lab copy 2 /root build/web.key")
    else:
        running.host(number).copy([pathlib.Path(word) for word in words[1:]], words[0])


def act(verb: str, words: list[str], directory: pathlib.Path) -> int:
    """One verb on a lab that is up."""
    running = system.existing(directory)
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
    elif isinstance(running, system.SystemLab) and verb in ("boot", "reboot", "off", "kernel", "copy"):
        act_on_system(running, verb, number, words[1:])
    elif verb == "boot":
        rejoin(running, number, words[1:])
    elif verb == "join":
        running.join(number, *words[1:])
    elif verb == "snapshot":
        running.snapshot(number)
    elif verb == "revert":
        running.revert(number, told=words[1:] == ["told"])
    elif verb in ("freeze", "thaw"):
        machine.hold_up(verb == "freeze")
    elif verb in ("unplug", "plug"):
        running.set_cable(number, verb == "plug")
    else:
        raise lab.LabError(f"the hosts of this lab are no ordinary systems: {verb} is not for them")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="qemu-tests/lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=pathlib.Path, default=paths.BUILD / "lab", help=argparse.SUPPRESS)
    verbs = ["up", "down", "shell", "exec", "client", "cut", "boot", "reboot", "off", "kernel", "copy", "join", "snapshot", "revert", "unplug", "plug", "freeze", "thaw"]
    parser.add_argument("verb", choices=verbs)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    try:
        if args.verb == "up":
            if args.words:
                up_systems(args.dir, args.words[0])
            else:
                up(args.dir)
            return 0
        return act(args.verb, args.words, args.dir)
    except (lab.LabError, segment.SegmentError, guest.GuestError, programs.BuildError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
