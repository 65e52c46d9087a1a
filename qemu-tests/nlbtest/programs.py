# SPDX-License-Identifier: GPL-2.0-only
"""Builds what goes into guests, by the same scripts that people use."""

import dataclasses
import os
import pathlib
import subprocess

from . import paths


class BuildError(Exception):
    """A build that failed; its own output says why."""


@dataclasses.dataclass
class Programs:
    """A kernel release and the files for its guests, by name below /nlb."""

    release: str
    files: dict[str, pathlib.Path]


def _script(*command: str) -> str:
    done = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} failed")
    return done.stdout


def build(with_nlb: bool = True) -> Programs:
    """Set up and build; steps that are done already cost nothing."""
    _script("scripts/setup-host.sh")
    release = _script("scripts/setup-guest.sh").split()[-1]
    target = paths.ROOT / "userspace" / "target" / "release"
    files = {"bin/tt": target / "tt"}
    crates = ["-p", "nlb-testtool"]
    if with_nlb:
        crates += ["-p", "nlbadm"]
        files["bin/nlbadm"] = target / "nlbadm"
        module = pathlib.Path(_script("scripts/build-module.sh").split()[-1])
        files["nlb.ko"] = _without_debug_info(module)
        files["golden.table"] = _golden_table()
        for bench in ("empty-hook", "gun"):
            built = _script("scripts/build-module.sh", f"qemu-tests/bench/{bench}")
            files[pathlib.Path(built.split()[-1]).name] = pathlib.Path(built.split()[-1])
    _script(
        "scripts/cargo.sh", "build", "--quiet", "--release",
        "--manifest-path", "userspace/Cargo.toml", *crates,
    )  # fmt: skip
    return Programs(release, files)


def _golden_table() -> pathlib.Path:
    """The golden packets, made anew: the guests have no Python."""
    table = paths.ROOT / "build" / "test" / "golden.table"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(_script("python3", "-B", "scripts/golden/table.py"))
    return table


def _without_debug_info(module: pathlib.Path) -> pathlib.Path:
    """A copy that an emulated machine loads in a moment, symbols still in it."""
    lean = module.with_suffix(".lean")
    partial = lean.with_suffix(f".{os.getpid()}")
    subprocess.run(["strip", "--strip-debug", "-o", partial, module], check=True)
    os.replace(partial, lean)
    return lean


def runnable(program: pathlib.Path) -> list[str]:
    """The words that run a built program on this machine.

    It may have been built in the Debian 13 tree, for a newer C library than
    this machine has; then the tree's own loader runs it.
    """
    direct = [str(program)]
    if subprocess.run([*direct, "--version"], capture_output=True).returncode == 0:
        return direct
    tree = paths.CACHE / "tree"
    return [
        str(tree / "lib64" / "ld-linux-x86-64.so.2"),
        "--library-path",
        str(tree / "lib" / "x86_64-linux-gnu"),
        *direct,
    ]
