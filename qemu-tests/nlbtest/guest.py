# SPDX-License-Identifier: GPL-2.0-only
"""One guest: a stock kernel in QEMU, with ports for commands and results.

A guest lives in a directory of its own: `console.log` (kernel messages),
`ctl.in`/`ctl.out` (commands and their answers), `ktap` (results), `shell`
(a socket with a terminal), `qmp` (QEMU's own control), `pid`. Another process
can pick a running guest up from its directory.
"""

import base64
import dataclasses
import itertools
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import time

from . import debugkernel, paths, splat

# What scenarios with random in them play by default.
SEED = 20907

# Booting takes 3 to 5 seconds; with several guests on two cores more.
BOOT_SECONDS = 120

# A person who waits for a guest hears of it so often.
TELL_SECONDS = 5


# Runs a command until it ends or the lock on a file is free, whichever comes
# first, and then ends the other.
_KEEPER = """
lock=$1; shift
"$@" & child=$!
echo "$child" >pid
flock "$lock" true & watch=$!
wait -n "$child" "$watch"
kill -9 "$child" "$watch" 2>/dev/null
"""


def _kill(pid: int) -> None:
    """Kill a process and wait until all of it has ended: it holds its network devices until then, whosever child it is."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [])
    except ProcessLookupError:
        pass
    finally:
        os.close(process)


class GuestError(Exception):
    """A guest that did not boot, died, or did not answer in time."""


@dataclasses.dataclass
class Shape:
    """What a guest is made of."""

    release: str
    payload: pathlib.Path
    memory_mib: int = 256
    cpus: int = 1
    # Tap devices, as (name, MAC), and the words that run a command where they are.
    taps: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    within: list[str] = dataclasses.field(default_factory=list)
    # Guest time is counted in instructions, idle time skipped.
    counted_clock: bool = False
    # Nanoseconds of it for each instruction, a power of two.
    pace: int = 1
    # An emulator plugin with its arguments.
    plugin: str | None = None
    # Stays when its maker exits (the lab); otherwise dies with it.
    detached: bool = False
    # A file that somebody else keeps locked: the guest dies when that ends.
    lives_with: pathlib.Path | None = None
    # What the machine says of its generation (VMGENID): another one, and it was set back or copied.
    generation: str | None = None
    # A state that was saved: the guest goes on from there.
    saved: pathlib.Path | None = None


def _drives(disks: list[pathlib.Path]) -> list[str]:
    """Read-only disks as block devices."""
    command = []
    for number, disk in enumerate(disks):
        command += [
            "-drive", f"file={disk},if=none,id=d{number},format=raw,readonly=on",
            "-device", f"virtio-blk-pci,drive=d{number}",
        ]  # fmt: skip
    return command


def _memory_disks(disks: list[pathlib.Path]) -> list[str]:
    """Read-only disks as persistent memory, which is read by the guest's own instructions.

    A block device is read by a thread of the emulator's. A guest that waits for it is idle, and a
    counted clock skips idle time: on a busy machine, by minutes for one file.
    """
    command = []
    for number, disk in enumerate(disks):
        size = disk.stat().st_size
        command += [
            "-object", f"memory-backend-file,id=d{number},share=on,readonly=on,mem-path={disk},size={size}",
            "-device", f"virtio-pmem-pci,memdev=d{number}",
        ]  # fmt: skip
    return command


class Answer:
    """What a command in a guest printed, and how it ended."""

    def __init__(self, code: int, text: str):
        self.code = code
        self.text = text


class Guest:
    """A guest by its directory; `boot` starts it."""

    # Ports that are pairs of named pipes, NAME.in and NAME.out, in the directory.
    PIPES = ("ctl",)

    def __init__(self, directory: pathlib.Path, name: str | None = None):
        self.dir = directory
        self.name = name or directory.name
        self.process: subprocess.Popen | None = None
        self._in: int | None = None
        self._out: int | None = None
        self._rest = b""
        self._lines: dict[str, list[str]] = {}
        self._codes: dict[str, int] = {}
        # Seconds that the emulator has waited for a processor.
        self._waited = 0.0
        # Ids differ between the processes that use one guest in turn.
        self._ids = (f"{os.getpid()}.{n}" for n in itertools.count())

    # Life

    def boot(self, shape: Shape) -> None:
        """Start QEMU; `wait_ready` then waits for the guest's agent."""
        self._waited = 0.0
        self.dir.mkdir(parents=True, exist_ok=True)
        for file in self.dir.iterdir():
            file.unlink()
        for port in self.PIPES:
            os.mkfifo(self.dir / f"{port}.in")
            os.mkfifo(self.dir / f"{port}.out")
        (self.dir / "console.log").touch()
        # QEMU opens the pipes for both directions, so do we: then neither
        # side sees an end when the other goes away for a while.
        self._open()
        command = [*shape.within, *self._command(shape)]
        if shape.lives_with:
            command = ["bash", "-c", _KEEPER, "keeper", str(shape.lives_with), *command]
        elif not shape.detached:
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with open(self.dir / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if shape.lives_with:
            # The process that counts is the keeper's child, which it names.
            self.process = None
            self._wait_pid()
        else:
            (self.dir / "pid").write_text(f"{self.process.pid}\n")

    def _command(self, shape: Shape) -> list[str]:
        accel = ["-accel", "tcg,thread=multi"]
        if shape.counted_clock:
            shift = shape.pace.bit_length() - 1
            accel = ["-accel", "tcg,thread=single", "-icount", f"shift={shift},sleep=off"]
        command = [
            "qemu-system-x86_64", "-name", self.name, "-M", "pc,hpet=off", *accel,
            # As on a machine that has no instructions for SHA: what a digest costs must not depend on the emulator.
            "-cpu", "max,sha-ni=off", "-smp", str(shape.cpus), "-m", f"{shape.memory_mib * debugkernel.memory(shape.release)},maxmem=4G",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(self._kernel(shape)),
            "-initrd", str(shape.payload),
            "-append", self._kernel_arguments(shape),
            "-serial", "file:console.log",
            "-qmp", "unix:qmp,server=on,wait=off",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", "socket,id=shell,path=shell,server=on,wait=off",
            "-device", "virtconsole,chardev=shell",
            "-chardev", "file,id=ktap,path=ktap",
            "-device", "virtserialport,chardev=ktap,name=nlb.ktap",
        ]  # fmt: skip
        for port in self.PIPES:
            command += [
                "-chardev", f"pipe,id={port},path={port}",
                "-device", f"virtserialport,chardev={port},name=nlb.{port}",
            ]  # fmt: skip
        if shape.generation:
            command += ["-device", f"vmgenid,guid={shape.generation}"]
        if shape.saved:
            command += ["-incoming", f"exec:cat '{shape.saved}'"]
        if shape.plugin:
            command += ["-plugin", shape.plugin]
        command += self._disks(shape)
        for number, (tap, mac) in enumerate(shape.taps):
            command += [
                "-netdev", f"tap,id=n{number},ifname={tap},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=n{number},mac={mac},id=nic{number},romfile=",
            ]  # fmt: skip
        return command

    # What another kind of guest has others of.

    def _kernel(self, shape: Shape) -> pathlib.Path:
        """The kernel image that the guest boots."""
        return paths.kernel(shape.release) / "image" / "vmlinuz"

    def _disks(self, shape: Shape) -> list[str]:
        """QEMU's options for the guest's disks."""
        disks = [paths.CACHE / "guest" / "userland.ext4", paths.kernel(shape.release) / "modules.ext4"]
        return _memory_disks(disks) if shape.counted_clock else _drives(disks)

    def _kernel_arguments(self, shape: Shape) -> str:
        words = [
            "console=ttyS0", "loglevel=5", "panic=-1", "oops=panic",
            "mitigations=off", "nokaslr", "tsc=reliable", "no_timer_check",
            "random.trust_cpu=on", "net.ifnames=0", "8250.nr_uarts=1",
            # Emulation on a busy machine stalls for seconds; only a real
            # lock-up lasts this long.
            "watchdog_thresh=30", "rcupdate.rcu_cpu_stall_timeout=60",
            f"nlb.name={self.name}", *debugkernel.arguments(shape.release),
        ]  # fmt: skip
        if os.environ.get("LONG"):
            # Scenarios that have a long form run it.
            words.append(f"nlb.long={int(os.environ['LONG'])}")
        # Scenarios with random in them: the seed to repeat. A change meets the same events each time; the long form,
        # which runs at night, meets new ones.
        new = random.randrange(1 << 15) if os.environ.get("LONG") else SEED
        words.append(f"nlb.seed={int(os.environ.get('SEED') or new)}")
        return " ".join(words)

    def wait_ready(self, seconds: float = BOOT_SECONDS, tell=None) -> None:
        """Wait until the guest's agent takes commands. `tell` is called with a line now and then."""
        deadline = self.clock() + seconds
        told = time.monotonic()
        while "ready" not in self._lines:
            self._read(deadline, "boot")
            if tell and time.monotonic() > told + TELL_SECONDS:
                told = time.monotonic()
                tell(f"{self.name} boots: {self.console_tail(1).strip()}")

    def clock(self) -> float:
        """Seconds that pass while the guest runs or sleeps, but not while it waits for a processor.

        On a busy machine it waits most of the time, so only by this can a guest that hangs be told from one that
        cannot run. What the kernel does not tell (CONFIG_SCHED_INFO) counts as time in which it could.
        """
        waited = 0
        try:
            for task in pathlib.Path(f"/proc/{self._pid()}/task").iterdir():
                words = (task / "schedstat").read_text().split()
                waited = max(waited, int(words[1]))
        except (OSError, ValueError, IndexError):
            pass
        self._waited = max(self._waited, waited / 1e9)
        return time.monotonic() - self._waited

    def alive(self) -> bool:
        """True while QEMU runs."""
        if self.process is not None:
            return self.process.poll() is None
        return self._pid_is_ours()

    def _wait_pid(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while not self._pid_is_ours():
            if time.monotonic() > deadline:
                raise GuestError(f"{self.name}: its emulator did not start{self._last_words()}")
            time.sleep(0.05)

    def _pid(self) -> int:
        return int((self.dir / "pid").read_text())

    def _pid_is_ours(self) -> bool:
        """True if the recorded pid is still this guest, not a later process."""
        try:
            words = pathlib.Path(f"/proc/{self._pid()}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        return b"qemu-system-x86_64" in words[0] and self.name.encode() in words

    def power_cut(self) -> None:
        """End the guest as a power failure would: at once, unannounced. What it used is free then."""
        if self.alive():
            _kill(self._pid())
        if self.process is not None:
            self.process.wait()

    def power_off(self, seconds: float = 20) -> None:
        """End the guest in order; by force if it does not within `seconds`."""
        if self.alive():
            try:
                os.write(self._open_in(), b"poweroff\n")
                if self.process is not None:
                    self.process.wait(seconds)
            except (subprocess.TimeoutExpired, OSError):
                pass
        self.power_cut()

    # Commands

    def start(self, script: str) -> str:
        """Start a bash script in the guest; its id is for `finish`."""
        ident = next(self._ids)
        self._lines[ident] = []
        code = base64.b64encode(script.encode()).decode()
        data = f"{ident} {code}\n".encode()
        while data:
            data = data[os.write(self._open_in(), data) :]
        return ident

    def finish(self, ident: str, seconds: float, echo=None) -> Answer:
        """Wait for a started script. `echo` is called with each new line."""
        deadline = self.clock() + seconds
        shown = 0
        while True:
            lines = self._lines[ident]
            if echo:
                for line in lines[shown:]:
                    echo(line)
                shown = len(lines)
            if ident in self._codes:
                del self._lines[ident]
                return Answer(self._codes.pop(ident), "\n".join(lines))
            self._read(deadline, "a command")

    def run(self, script: str, seconds: float = 60) -> Answer:
        """Run a bash script in the guest to its end."""
        return self.finish(self.start(script), seconds)

    def check(self, script: str, seconds: float = 60) -> str:
        """Run a script that must succeed; its output."""
        answer = self.run(script, seconds)
        if answer.code != 0:
            raise GuestError(f"{self.name}: `{script}` failed ({answer.code}):\n{answer.text}")
        return answer.text

    # Control

    def qmp(self, command: str, **arguments) -> dict:
        """One command to QEMU itself."""
        # The path of a socket may not exceed 107 bytes, a checkout's may.
        with socket.socket(socket.AF_UNIX) as link:
            here = os.open(self.dir, os.O_PATH)
            try:
                link.connect(f"/proc/self/fd/{here}/qmp")
            finally:
                os.close(here)
            stream = link.makefile("rw")
            json.loads(stream.readline())
            for request in (
                {"execute": "qmp_capabilities"},
                {"execute": command, "arguments": arguments},
            ):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
            if "error" in answer:
                raise GuestError(f"{self.name}: {command}: {answer['error']['desc']}")
            return answer["return"]

    def save(self, file: pathlib.Path) -> None:
        """Save the guest as it is, with its memory. It stands still meanwhile, and then goes on."""
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat > '{file}'")
        self._wait_status("query-migrate", "completed", "its state could not be saved")
        self.qmp("cont")

    def go_on(self) -> None:
        """Run a guest that was started from a saved state: it stood still when that was saved."""
        self._wait_status("query-status", "paused", "the saved state could not be read")
        self.qmp("cont")

    def _wait_status(self, question: str, wanted: str, failure: str) -> None:
        deadline = time.monotonic() + 120
        while (status := self._status(question)) != wanted:
            if status == "failed" or time.monotonic() > deadline:
                raise GuestError(f"{self.name}: {failure}: {status}")
            time.sleep(0.1)

    def _status(self, question: str) -> str | None:
        try:
            return self.qmp(question).get("status")
        except (FileNotFoundError, ConnectionRefusedError):
            # QEMU has only just been started.
            return None

    def hold_up(self, held: bool) -> None:
        """Let the emulator do nothing, or go on. Time passes meanwhile, in the guest too."""
        os.kill(self._pid(), signal.SIGSTOP if held else signal.SIGCONT)

    def set_cable(self, plugged: bool, nic: int = 0) -> None:
        """Pull a network card's cable, or plug it in again."""
        self.qmp("set_link", name=f"nic{nic}", up=plugged)

    def splats(self) -> list[str]:
        """Kernel complaints in the console log so far."""
        return splat.find(self.dir / "console.log")

    def console_tail(self, lines: int = 30) -> str:
        """The end of the console log, for people."""
        text = (self.dir / "console.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _last_words(self) -> str:
        """What the emulator and the guest's kernel said last, for an error."""
        said = []
        for file, whose, lines in (("qemu.log", "its emulator", 5), ("console.log", "its console", 15)):
            try:
                text = (self.dir / file).read_text(errors="replace").strip()
            except OSError:
                continue
            if text:
                said += [f"{whose} said last:", *("    " + line for line in text.splitlines()[-lines:])]
        return "".join("\n  " + line for line in said) or "\n  neither its emulator nor its console said a word"

    # Pipes

    def _open(self) -> None:
        self._open_in()
        if self._out is None:
            self._out = os.open(self.dir / "ctl.out", os.O_RDWR | os.O_NONBLOCK)

    def _open_in(self) -> int:
        if self._in is None:
            self._in = os.open(self.dir / "ctl.in", os.O_RDWR)
        return self._in

    def _read(self, deadline: float, what: str) -> None:
        """Take in some answers; raise when the guest is gone or too slow."""
        self._open()
        left = deadline - self.clock()
        if left <= 0:
            raise GuestError(f"{self.name}: no answer in time ({what}){self._last_words()}")
        readable, _, _ = select.select([self._out], [], [], min(left, 0.5))
        if not readable:
            if not self.alive():
                raise GuestError(f"{self.name}: the guest died ({what}){self._last_words()}")
            return
        self._rest += os.read(self._out, 65536)
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))

    def _take(self, line: str) -> None:
        if line == "ready":
            self._lines["ready"] = []
            return
        ident, _, rest = line.partition(" ")
        kind, _, text = rest.partition(" ")
        if ident not in self._lines:
            return
        if kind == "-":
            self._lines[ident].append(text)
        elif kind == "=":
            self._codes[ident] = int(text)
