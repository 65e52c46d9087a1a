# SPDX-License-Identifier: GPL-2.0-only
"""The per-run part of a guest's files: module, tools and tests.

The kernel unpacks several archives one after the other from one initrd, so
the cached initial file system is joined with a small archive of our own, and
nothing large is ever made again.
"""

import os
import pathlib
import stat

from . import frames, paths


class _Cpio:
    """A writer of the "newc" archives that the kernel unpacks."""

    def __init__(self, file):
        self.file = file
        self.inode = 0

    def add(self, name: str, mode: int, data: bytes) -> None:
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (header + raw, data):
            self.file.write(part + b"\0" * (-len(part) % 4))

    def add_file(self, name: str, source: pathlib.Path) -> None:
        executable = os.access(source, os.X_OK)
        mode = stat.S_IFREG | (0o755 if executable else 0o644)
        self.add(name, mode, source.read_bytes())

    def add_directory(self, name: str) -> None:
        self.add(name, stat.S_IFDIR | 0o755, b"")

    def close(self) -> None:
        self.add("TRAILER!!!", 0, b"")


def make(release: str, programs: dict[str, pathlib.Path], target: pathlib.Path) -> pathlib.Path:
    """Join the cached initrd with this run's files; the result's path.

    `programs` maps names below /nlb in the guest to files here.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".tmp")
    with open(partial, "wb") as file:
        initrd = (paths.kernel(release) / "boot-initrd").read_bytes()
        file.write(initrd + b"\0" * (-len(initrd) % 512))
        archive = _Cpio(file)
        archive.add_directory("nlb")
        for directory in ("bin", "lib", "scenarios", "bench", "sequences", "ynl", "ynl/lib"):
            archive.add_directory(f"nlb/{directory}")
        guest = paths.TESTS / "guest"
        archive.add_file("nlb/init", guest / "init.sh")
        archive.add_file("nlb/agent", guest / "agent.sh")
        archive.add_file("nlb/run", guest / "run.sh")
        archive.add_file("nlb/leaks", guest / "leaks.sh")
        archive.add_file("nlb/lab-host", guest / "lab-host.sh")
        archive.add_file("nlb/ynl/ynl.py", guest / "ynl.py")
        archive.add("nlb/bench/cases", stat.S_IFREG | 0o644, frames.lines().encode())
        # The scenario of privileges holds the module to the table there.
        archive.add_file("nlb/security.md", paths.ROOT / "docs" / "security.md")
        for name, source in sorted(programs.items()):
            archive.add_file(f"nlb/{name}", source)
        for directory in ("lib", "scenarios", "bench"):
            for source in sorted((paths.TESTS / directory).glob("*.sh")):
                archive.add_file(f"nlb/{directory}/{source.name}", source)
        for source in sorted((paths.TESTS / "sequences").glob("*.steps")):
            archive.add_file(f"nlb/sequences/{source.name}", source)
        archive.close()
    os.replace(partial, target)
    return target


def memory_mib(image: pathlib.Path) -> int:
    """Memory in MiB that a payload takes at boot: the archive and what it is unpacked to are there at once."""
    return -(-2 * image.stat().st_size // (1 << 20))
