# SPDX-License-Identifier: GPL-2.0-only
"""What is different when guests run the debug kernel (NLB_KERNEL=debug)."""

from . import scenario

# All its checks under emulation: several times slower than the stock kernel.
# Deadlines are stretched by this; what a scenario measures is not.
PATIENCE = 5

# KASAN's shadow and quarantine, and what lockdep and kmemleak remember.
MEMORY = 2

# A scan of everything, repeated until what was freed last is old enough.
LEAK_SECONDS = 240


def is_debug(release: str) -> bool:
    """True for a release that scripts/setup-debug-kernel.sh has built."""
    return release.endswith("-debug")


def patience(release: str) -> int:
    """The factor for deadlines."""
    return PATIENCE if is_debug(release) else 1


def memory(release: str) -> int:
    """The factor for a guest's memory."""
    return MEMORY if is_debug(release) else 1


def arguments(release: str) -> list[str]:
    """Words for a guest's kernel command line."""
    words = [f"nlb.patience={patience(release)}"]
    if is_debug(release):
        # Each allocation of the ACPI interpreter is traced several times over:
        # asking it how interrupts are routed takes minutes, and it gives up.
        words.append("pci=noacpi")
        # A busy machine stalls its emulation long enough to spoil the TSC's
        # calibration, and guest time would run a hundred times too fast. The
        # PM timer needs none.
        words += ["notsc", "clocksource=acpi_pm"]
        # KASAN knows where memory lies by the processor's number of page table
        # levels, which is unknown for a moment while the processor is identified:
        # an interrupt then is a wild access where there are five. After such a
        # report KASAN is silent for ever, and lockdep is off.
        words += ["no5lvl", "kasan_multi_shot"]
    return words


def suits(one: scenario.Scenario, release: str) -> bool:
    """Whether a scenario runs on a kernel.

    On the debug kernel, counted instructions say nothing, and several guests at
    once starve each other of heartbeats.
    """
    if is_debug(release):
        return one.topology == "one-guest" and one.clock != "counted"
    return one.kernel == "any"


def leaks(machine) -> list[str]:
    """What a `guest.Guest`'s leak detector holds against nlb, a line or more for each object."""
    answer = machine.finish(machine.start("exec /nlb/leaks"), LEAK_SECONDS)
    if answer.code == 0:
        return []
    return answer.text.splitlines() or [f"the leak check failed with code {answer.code}"]
