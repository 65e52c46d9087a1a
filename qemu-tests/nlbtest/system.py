# SPDX-License-Identifier: GPL-2.0-only
"""Guests that are ordinary Debian 13 systems: systemd, the stock kernel's package, a disk.

scripts/setup-system.sh makes the disk, one for each variant. A guest writes to a copy of its
own, which stays when the guest reboots or loses its power; it is as small as the files in it.
A second disk, the seed, has the files in which guests differ; a unit unpacks it at the first
boot.
"""

import dataclasses
import io
import json
import os
import pathlib
import select
import shutil
import subprocess
import tarfile
import time

from . import guest, paths, programs, segment
from .lab import Lab, LabError, Plan

# The variant that a scenario gets which names none.
VARIANT = "networkd"

# The generic flavour's initial file system takes 200 MB once it is unpacked.
MEMORY_MIB = 768

# A boot takes some 60 s of a processor.
BOOT_SECONDS = 300

# A kernel that is kept from its processor while it compares its clock with the timer chip may take
# the clock for a fraction of its speed, and says so. Then all of its seconds are short: it waits
# for nothing, and gives up. Such a guest is powered on again, so often at most.
WRONG_CLOCK = "tsc: PIT calibration deviates from PMTIMER"
LATER_IN_BOOT = "Loading, please wait"
BOOTS = 5

# The addresses of the README's examples: its commands work here as they stand.
ADDRESSES = segment.Addresses("192.0.2.10", "192.0.2.254/24", "198.51.100.0/24")
# Two cards: eth0 is on a network of the hosts' own, eth1 on the cluster's segment.
OTHER_CARD, CLUSTER_CARD = 0, 1


@dataclasses.dataclass
class SystemShape(guest.Shape):
    """What such a guest is made of; `payload` is its initial file system."""

    kernel: pathlib.Path = pathlib.Path()
    # Its copy of the variant's disk, and the disk with its own files.
    disk: pathlib.Path = pathlib.Path()
    seed: pathlib.Path = pathlib.Path()


@dataclasses.dataclass
class SystemPlan(Plan):
    """What a lab of such guests is made of; `payload` is the directory of the variant."""

    variant: str


class SystemGuest(guest.Guest):
    """A guest with an ordinary system."""

    # What is copied into the guest goes through the second.
    PIPES = ("ctl", "files")

    def _kernel(self, shape: SystemShape) -> pathlib.Path:
        return shape.kernel

    def _disks(self, shape: SystemShape) -> list[str]:
        # What the guest has flushed need not survive this machine, only the guest.
        return [
            "-drive", f"file={shape.disk},if=none,id=system,format=raw,cache=unsafe",
            "-device", "virtio-blk-pci,drive=system",
            "-drive", f"file={shape.seed},if=none,id=seed,format=raw,readonly=on",
            "-device", "virtio-blk-pci,drive=seed,serial=seed",
        ]  # fmt: skip

    def _kernel_arguments(self, shape: SystemShape) -> str:
        return " ".join([
            "root=LABEL=nlb-system", "ro", "console=ttyS0", "loglevel=5", "panic=-1", "oops=panic",
            "mitigations=off", "net.ifnames=0", f"systemd.hostname={self.name}", "systemd.show_status=false",
            # As for other guests: an emulated machine on a busy one stands still for seconds.
            # There, a boot may take longer than systemd waits for a single service.
            "tsc=reliable", "no_timer_check", "watchdog_thresh=30", "rcupdate.rcu_cpu_stall_timeout=60",
            "systemd.default_timeout_start_sec=600", "systemd.default_device_timeout_sec=600",
            "systemd.service_watchdogs=no",
        ])  # fmt: skip

    def copy(self, files: list[pathlib.Path], to: str, seconds: float = 120) -> None:
        """Copy files, with their modes, into a directory of the guest."""
        data = _archive({file.name: (file.read_bytes(), file.stat().st_mode & 0o777) for file in files})
        # All of it is taken from the port, even if tar finds no room for it.
        receive = self.start(
            f"set -o pipefail; head -c {len(data)} /dev/virtio-ports/nlb.files |"
            f" {{ tar -x -C '{to}' --no-same-owner; code=$?; cat >/dev/null; exit $code; }}"
        )
        self._send(data, self.clock() + seconds)
        answer = self.finish(receive, seconds)
        if answer.code != 0:
            raise guest.GuestError(f"{self.name}: copying to {to} failed:\n{answer.text}")

    def _send(self, data: bytes, deadline: float) -> None:
        """Write to the port for files, as fast as the guest takes it."""
        left = memoryview(data)
        try:
            # Without a reader, which is QEMU, there is nothing to open.
            port = os.open(self.dir / "files.in", os.O_WRONLY | os.O_NONBLOCK)
            try:
                while left:
                    if select.select([], [port], [], 0.5)[1]:
                        left = left[os.write(port, left) :]
                    elif self.clock() > deadline:
                        raise guest.GuestError(f"{self.name}: it takes no more of the files")
            finally:
                os.close(port)
        except OSError as error:
            raise guest.GuestError(f"{self.name}: the guest died (files): {error}") from error

    def clock_is_right(self, seconds: float = BOOT_SECONDS) -> bool:
        """Wait until it has chosen the speed of its clock; false if it has chosen a wrong one."""
        deadline = self.clock() + seconds
        while self.alive() and self.clock() < deadline:
            console = (self.dir / "console.log").read_text(errors="replace")
            if WRONG_CLOCK in console:
                return False
            if LATER_IN_BOOT in console:
                break
            time.sleep(0.2)
        return True

    def wait_running(self, seconds: float = BOOT_SECONDS, whole: bool = True) -> None:
        """Wait until systemd has started everything; raise if something failed, unless it need not be whole."""
        self.wait_ready(seconds)
        state = self.run("systemctl is-system-running --wait", seconds).text.strip()
        if whole and state != "running":
            why = self.run("systemctl --failed --plain --no-legend; journalctl -b -p err --no-pager -n 20")
            raise guest.GuestError(f"{self.name}: the system is {state}:\n{why.text}")

    def shut_down(self, seconds: float = 120) -> None:
        """End the guest as an operator does; it must end by itself."""
        self.start("systemctl --no-block poweroff")
        deadline = self.clock() + seconds
        while self.alive():
            if self.clock() > deadline:
                raise guest.GuestError(f"{self.name}: it did not shut down within {seconds:.0f} s")
            time.sleep(0.1)


class SystemLab(Lab):
    """A lab of such guests, on a segment with the README's addresses."""

    PLAN = SystemPlan

    def make(
        self, built: programs.Programs, name: str, hosts: int, detached: bool, variant: str = VARIANT
    ) -> None:
        """Make the segment and start all guests; `wait_running` follows for each."""
        self._clear()
        directory = prepare(variant)
        tool = str(built.files["bin/tt"])
        (self.dir / "disks").mkdir()
        for number in range(1, hosts + 1):
            _copy_disk(directory / "disk", self._disk(number))
            self._seed(number).write_bytes(_archive(_files(number)))
        self.segment = segment.Segment.make(name, hosts, detached, ADDRESSES)
        holder = self.segment.holder
        self._start(SystemPlan(name, hosts, built.release, str(directory), tool, detached, holder, variant))
        for number in self.guests:
            self._settle_clock(number)

    def remove(self) -> None:
        """End all guests and remove the segment, and the disks, which are large."""
        super().remove()
        shutil.rmtree(self.dir / "disks", ignore_errors=True)

    def boot_again(self, number: int, whole: bool = True) -> None:
        """Power on a host that is off; the end of its last boot is awaited."""
        if self.host(number).alive():
            raise LabError(f"host {number} is running")
        self.boot(number)
        self._settle_clock(number)
        self.host(number).wait_running(whole=whole)

    def _settle_clock(self, number: int) -> None:
        """Power a host on again while its clock runs wrong."""
        for _ in range(BOOTS):
            if self.host(number).clock_is_right():
                break
            self.host(number).power_cut()
            self.boot(number)

    def reboot(self, number: int) -> None:
        """Restart a host as an operator does."""
        self.host(number).shut_down()
        self.boot_again(number)

    def choose_kernel(self, number: int, release: str) -> None:
        """Let a host that is off boot a kernel of its /boot from now on, as its boot loader would."""
        if self.host(number).alive():
            raise LabError(f"host {number} is running")
        taken = self._taken(number)
        shutil.rmtree(taken, ignore_errors=True)
        taken.mkdir()
        for name, file in (("vmlinuz", f"vmlinuz-{release}"), ("initrd", f"initrd.img-{release}")):
            command = ["debugfs", "-R", f"dump /boot/{file} {taken / name}", str(self._disk(number))]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0 or not (taken / name).exists() or not (taken / name).stat().st_size:
                shutil.rmtree(taken)
                raise LabError(f"host {number} has no /boot/{file}: {done.stderr.strip()}")

    def set_cable(self, number: int, plugged: bool) -> None:
        self.host(number).set_cable(plugged, CLUSTER_CARD)

    def _taken(self, number: int) -> pathlib.Path:
        """Kernel and initial file system out of the disk of a host that has chosen them."""
        return self.dir / "disks" / f"host{number}.boot"

    def _disk(self, number: int) -> pathlib.Path:
        return self.dir / "disks" / f"host{number}"

    def _seed(self, number: int) -> pathlib.Path:
        return self.dir / "disks" / f"host{number}.seed"

    def _segment(self) -> segment.Segment:
        return segment.Segment(self.plan.name, self.plan.holder, ADDRESSES)

    def _guest(self, number: int) -> SystemGuest:
        return SystemGuest(self.dir / f"host{number}")

    def _shape(self, number: int) -> SystemShape:
        taken = self._taken(number)
        directory = taken if taken.exists() else pathlib.Path(self.plan.payload)
        cards = {
            OTHER_CARD: (f"u{number}", segment.mac(number, 1)),
            CLUSTER_CARD: (f"t{number}", segment.mac(number)),
        }
        return SystemShape(
            release=self.plan.release,
            kernel=directory / "vmlinuz",
            payload=directory / "initrd",
            disk=self._disk(number),
            seed=self._seed(number),
            memory_mib=MEMORY_MIB,
            taps=[cards[number] for number in sorted(cards)],
            within=self.segment.command([]),
            detached=self.plan.detached,
            lives_with=self._owner() if self.attached else None,
        )


def existing(directory: pathlib.Path) -> Lab:
    """A lab of either kind that another process has made."""
    try:
        plan = json.loads((directory / "lab.json").read_text())
    except FileNotFoundError:
        plan = {}
    return (SystemLab if "variant" in plan else Lab).existing(directory)


def prepare(variant: str) -> pathlib.Path:
    """The directory of a variant, made if it is not there."""
    done = subprocess.run(
        [paths.ROOT / "scripts" / "setup-system.sh", variant], stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise programs.BuildError(f"scripts/setup-system.sh {variant} failed")
    return pathlib.Path(done.stdout.split()[-1])


def _copy_disk(disk: pathlib.Path, copy: pathlib.Path) -> None:
    """A copy of a disk, with its holes."""
    command = ["cp", "--sparse=always", "--reflink=auto", str(disk), str(copy)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise guest.GuestError(f"{copy.name}: its disk could not be made: {done.stderr.strip()}")


def _archive(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar archive of contents and modes by name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), mode, int(time.time())
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _files(number: int) -> dict[str, tuple[bytes, int]]:
    """What is in a host's seed: contents and modes by name."""
    agent = (paths.TESTS / "guest" / "agent.sh").read_bytes()
    files = {
        "usr/local/lib/nlb/agent": (agent, 0o755),
        "var/www/html/index.html": (f"host {number}\n".encode(), 0o644),
    }
    gateway = ADDRESSES.client.partition("/")[0]
    files |= _networkd("eth0", f"192.168.0.{number}/24")
    files |= _networkd("eth1", f"192.0.2.{number}/24", gateway)
    return files


def _networkd(card: str, address: str, gateway: str = "") -> dict[str, tuple[bytes, int]]:
    """A card's settings for systemd-networkd."""
    text = f"[Match]\nName={card}\n\n[Network]\nAddress={address}\n"
    if gateway:
        text += f"Gateway={gateway}\n"
    return {f"etc/systemd/network/{card}.network": (text.encode(), 0o644)}
