# SPDX-License-Identifier: GPL-2.0-only
"""Run stories: qemu-tests/story [--list] [--keep] [NAME…]

A story is a scenario for people: it says what happens while it runs, prints a table or a
timeline, and ends with "scenario NAME: ok". Without a name all of them run. --keep puts what
it printed into its page, docs/recipes/NAME.md. Logs are left in build/test/.
"""

import argparse
import pathlib
import sys
import threading
import time

sys.dont_write_bytecode = True

from nlbtest import guest, ktap, labrun, lab, paths, programs, recipe, runner, scenario, segment  # noqa: E402


class Follower:
    """Prints what comes into a file, while it comes."""

    def __init__(self, path: pathlib.Path):
        path.write_bytes(b"")
        self._file = open(path, encoding="utf-8")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while True:
            over = self._over.is_set()
            if text := self._file.read():
                print(text, end="", flush=True)
            elif over:
                return
            else:
                time.sleep(0.1)

    def finish(self) -> None:
        """Print the rest."""
        self._over.set()
        self._thread.join()


def run_one(one: scenario.Scenario, built: programs.Programs, keep: bool) -> bool:
    """Whether it was as it should be; the last line says so."""
    print(f"scenario {one.name}: {one.title}", flush=True)
    print(f"{one.hosts} hosts boot Debian 13, {built.release}", flush=True)
    told = paths.LOGS / f"{one.name}.told"
    trouble = []
    text = ""
    follower = Follower(told)
    try:
        text, splats = labrun.run(one, built, paths.LOGS / f"{one.name}.log", told)
        trouble += [f"a kernel complained: {line}" for line in splats[:5]]
    except (guest.GuestError, segment.SegmentError, lab.LabError) as error:
        trouble.append(str(error))
    finally:
        follower.finish()
    results = ktap.parse(text)
    if not trouble:
        results.settle()
    trouble = results.failed + trouble
    if not trouble:
        if keep:
            recipe.keep(one.name, told.read_text(), paths.LOGS / one.name / "run")
        print(f"{len(results.passed)} checks passed")
        print(f"scenario {one.name}: ok", flush=True)
        return True
    for line in trouble[1:]:
        print(f"also: {line}")
    print(f"log: {paths.LOGS / one.name}.log")
    print(f"scenario {one.name}: FAILED: {trouble[0]}", flush=True)
    return False


def chosen(names: list[str]) -> list[scenario.Scenario]:
    """The stories of these names; all if there is none."""
    known = {one.name: one for one in scenario.stories()}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"there is no story {' '.join(unknown)}; these are known: {' '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="qemu-tests/story", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the stories, run none")
    parser.add_argument("--keep", action="store_true", help="put what they print into their pages")
    args = parser.parse_args()
    stories = chosen(args.names)
    if args.needs:
        print("\n".join(sorted({script for one in stories for script in one.needs})))
        return 0
    if args.list:
        for one in stories:
            print(f"{one.name:20} {one.title}")
        return 0
    try:
        built = programs.build()
    except programs.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        with runner.alone():
            failed = [one.name for one in stories if not run_one(one, built, args.keep)]
    except KeyboardInterrupt:
        print("interrupted; everything is removed")
        return 130
    if len(stories) > 1:
        print(f"{len(stories) - len(failed)} passed, {len(failed)} failed: {' '.join(failed)}".rstrip(": "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
