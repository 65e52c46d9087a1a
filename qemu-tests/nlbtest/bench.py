# SPDX-License-Identifier: GPL-2.0-only
"""Costs: boots the guests, runs bench/*.sh in them, and makes tables of it."""

import base64
import bisect
import collections
import contextlib
import dataclasses
import gzip
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from . import guest, paths, payload, programs

MEMORY_MIB = 1024
SECONDS = 3000

# What a hook lets pass is measured with another hook behind it, and told above
# a floor with that hook in it.
PASSES = {"nlb-mine", "nlb-foreign", "nlb-moved-hit", "nft-jhash-accept", "floor-accept"}
PASSES_BY_CASE = {("nlb-not-mine", "fragment-later")}

# Subjects of the first table, as people call them.
NAMES = {
    "floor-drop": "an empty hook that drops",
    "nlb-not-mine": "nlb, not mine",
    "nft-drop": "nft netdev, drop",
    "nft-jhash-drop": "nft netdev, jhash recipe, drop",
    "ipaddr2": "Pacemaker's IPaddr2 rules, drop",
    "iptables-drop": "iptables raw, drop",
    "xt_cluster": "iptables xt_cluster, drop",
    "floor-accept": "an empty hook that accepts",
    "nlb-mine": "nlb, mine",
    "nft-jhash-accept": "nft netdev, jhash recipe, accept",
    "cable-floor-drop": "by veth: an empty hook",
    "cable-nlb": "by veth: nlb, not mine",
    "cable-nft-drop": "by veth: nft netdev, drop",
    "cable-xdp": "by veth: native XDP, drop",
}


class BenchError(Exception):
    """A measurement that did not come to its end."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One result: instructions for each packet."""

    kernel: str
    subject: str
    case: str
    family: int
    rules: int
    vips: int
    cpus: int
    burst: int
    insn_per_packet: float


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """What it costs to receive and verify a heartbeat in a cluster of so many hosts."""

    hosts: int
    bytes: int
    blocks: int
    # Over an empty hook, and what a packet costs with that.
    over: int
    floor: int

    def as_row(self, kernel: str) -> dict:
        """As the other results, with what is a heartbeat's own."""
        row = Row(kernel, "nlb-heartbeat", "verified", 0, 1, 1, 1, 1, float(self.over + self.floor))
        return dataclasses.asdict(row) | {"hosts": self.hosts, "bytes": self.bytes, "blocks": self.blocks}

    def budget(self) -> int:
        """What it may cost: a sum, and so much for each SHA-256 block."""
        return 5000 + 2200 * self.blocks


@contextlib.contextmanager
def booted(built: programs.Programs, name: str, cpus: int = 1, plugin: str | None = None):
    """A guest under the counted clock."""
    directory = paths.LOGS / f"bench-{name}"
    shutil.rmtree(directory, ignore_errors=True)
    machine = guest.Guest(directory)
    shape = guest.Shape(
        release=built.release,
        payload=payload.make(built.release, built.files, paths.LOGS / f"bench-{name}.initrd"),
        memory_mib=MEMORY_MIB,
        cpus=cpus,
        counted_clock=True,
        plugin=plugin,
    )
    machine.boot(shape)
    try:
        machine.wait_ready()
        yield machine
    finally:
        machine.power_off()


def script(machine: guest.Guest, name: str, *arguments: str) -> list[list[str]]:
    """Run bench/NAME.sh with BENCH_ARGS; the words of its lines that begin with "row"."""
    command = f"""
        rm -rf /run/test; mkdir -p /run/test; exec 4>/dev/null
        for file in /nlb/lib/*.sh; do . "$file"; done
        BENCH_ARGS=({" ".join(shlex.quote(word) for word in arguments)})
        scenario_main /nlb/bench/{name}.sh
    """
    log = paths.LOGS / f"bench-{name}.log"
    with open(log, "w", encoding="utf-8") as out:
        def echo(line: str) -> None:
            out.write(line + "\n")
            out.flush()

        answer = machine.finish(machine.start(command), SECONDS, echo)
    splats = machine.splats()
    lines = answer.text.splitlines()
    if answer.code != 0 or splats or any(line.startswith("not ok") for line in lines):
        tail = "\n".join(lines[-15:] + splats[:5])
        raise BenchError(f"bench/{name}.sh failed, see {log}:\n{tail}")
    return [line.split()[1:] for line in lines if line.startswith("row ")]


def build() -> programs.Programs:
    """What a scenario's guest gets, and the XDP program."""
    built = programs.build("tests")
    done = subprocess.run(
        ["scripts/build-xdp.sh"], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise programs.BuildError("scripts/build-xdp.sh failed")
    built.files["bench/xdp.o"] = pathlib.Path(done.stdout.strip())
    return built


def save(name: str, kernel: str, rows: list[dict]) -> pathlib.Path:
    """Write results, beside those of other kernels that are there already."""
    path = paths.BUILD / name
    others = []
    if path.exists():
        others = [row for row in json.loads(path.read_text()) if row["kernel"] != kernel]
    path.write_text(json.dumps(others + rows, indent=1) + "\n")
    return path


# Packets


def packet() -> int:
    """`make bench`."""
    built = build()
    with booted(built, "packet") as machine:
        lines = script(machine, "packet")
    rows = [
        Row(built.release, s, c, int(family), int(rules), int(vips), 1, int(burst), float(insn))
        for s, c, family, rules, vips, burst, insn in (line for line in lines if line[0] != "heartbeat")
    ]
    beats = [Heartbeat(*map(int, line[1:])) for line in lines if line[0] == "heartbeat"]
    path = save(
        "bench.json",
        built.release,
        [dataclasses.asdict(row) for row in rows] + [beat.as_row(built.release) for beat in beats],
    )
    print(f"Instructions of a packet on {built.release}, counted; the floor is an empty hook.\n")
    peers_table(rows)
    cases_table(rows)
    sizes_table(rows)
    heartbeats_table(beats)
    print(f"All of it: {os.path.relpath(path)}")
    return 0


def floor(rows: list[Row], row: Row) -> float | None:
    """What an empty hook costs where this row was measured."""
    if row.subject.startswith("cable"):
        wanted = "cable-floor-drop"
    elif row.subject in PASSES or (row.subject, row.case) in PASSES_BY_CASE:
        wanted = "floor-accept"
    else:
        wanted = "floor-drop"
    for other in rows:
        same = (other.subject, other.case, other.family, other.burst)
        if same == (wanted, "udp", row.family, row.burst):
            return other.insn_per_packet
    return None


def above(rows: list[Row], row: Row | None) -> str:
    """Instructions over the floor, as text."""
    base = floor(rows, row) if row else None
    return "" if base is None else f"{row.insn_per_packet - base:.0f}"


def find(rows: list[Row], **wanted) -> Row | None:
    """The first row with these values."""
    for row in rows:
        if all(getattr(row, key) == value for key, value in wanted.items()):
            return row
    return None


def peers_table(rows: list[Row]) -> None:
    """nlb beside everything else, UDP over IPv4."""
    nlb = find(rows, subject="nlb-not-mine", case="udp", family=4, burst=32, rules=64, vips=8)
    ours = nlb.insn_per_packet - (floor(rows, nlb) or 0) if nlb else 0
    print(f"{'UDP over IPv4':36} {'burst':>5} {'insn':>7} {'over':>6} {'÷ nlb':>6}")
    for subject, name in NAMES.items():
        seen = set()
        for row in rows:
            sizes_differ = row.subject.startswith("nlb") and (row.rules, row.vips) != (64, 8)
            if (row.subject, row.case, row.family) != (subject, "udp", 4) or sizes_differ:
                continue
            if row.burst in seen:
                continue
            seen.add(row.burst)
            over = above(rows, row)
            ratio = f"{float(over) / ours:.1f}" if over and ours and row.burst == 32 else ""
            print(f"{name:36} {row.burst:5} {row.insn_per_packet:7.0f} {over:>6} {ratio:>6}")
    print("On a veth, XDP costs more than a hook, for each buffer is made an XDP frame first.\n")


def cases_table(rows: list[Row]) -> None:
    """nlb's own cases, over the floor."""
    print(f"{'nlb, 64 rules, 8 VIPs, over floor':36} {'IPv4':>9} {'':>6} {'IPv6':>9}")
    print(f"{'':36} {'not mine':>9} {'mine':>6} {'not mine':>9} {'mine':>6}")
    cases = dict.fromkeys(row.case for row in rows if row.subject in ("nlb-not-mine", "nlb-mine"))
    for case in cases:
        cells = []
        for family in (4, 6):
            for subject in ("nlb-not-mine", "nlb-mine"):
                wanted = {"subject": subject, "case": case, "family": family, "rules": 64, "vips": 8}
                # Sessions that are remembered are measured with fresh buffers alone.
                row = find(rows, burst=32, **wanted) or find(rows, burst=1, **wanted)
                cells.append(above(rows, row))
        print(f"{case:36} {cells[0]:>9} {cells[1]:>6} {cells[2]:>9} {cells[3]:>6}")
    for text, subject, family in (
        ("foreign traffic", "nlb-foreign", 4),
        ("foreign traffic, IPv6", "nlb-foreign", 6),
        ("moved bucket, second chance miss", "nlb-moved-miss", 4),
        ("  the same, connection tracking loaded", "nlb-moved-miss-conntrack", 4),
        ("moved bucket, second chance hit", "nlb-moved-hit", 4),
    ):
        print(f"{text:36} {above(rows, find(rows, subject=subject, family=family)):>9}")
    print()


def sizes_table(rows: list[Row]) -> None:
    """Not mine, by the number of rules and VIPs, and by how many clients there are."""
    print(f"{'not mine, UDP over IPv4, over floor':36} {'rules':>6} {'VIPs':>6} {'burst':>6} {'over':>6}")
    for row in rows:
        if row.subject in ("nlb-not-mine", "nlb-not-mine-hot") and (row.case, row.family) == ("udp", 4):
            text = "one client" if row.subject.endswith("hot") else "a million clients"
            print(f"{text:36} {row.rules:6} {row.vips:6} {row.burst:6} {above(rows, row):>6}")
    print()


def heartbeats_table(beats: list[Heartbeat]) -> None:
    """Heartbeats received and verified, by the size of the cluster."""
    print(f"{'heartbeat verified, over floor':36} {'hosts':>6} {'bytes':>6} {'blocks':>6} {'over':>6} {'budget':>7}")
    for beat in beats:
        print(f"{'':36} {beat.hosts:6} {beat.bytes:6} {beat.blocks:6} {beat.over:6} {beat.budget():7}")
    print()


# Clusters


# Hosts, period in ms, tolerance. More hosts than these are the simulator's.
CLUSTERS = [
    (3, 10, 3), (8, 10, 3),
    (3, 50, 3), (16, 50, 3),
    (3, 200, 5), (8, 200, 5), (16, 200, 5), (32, 200, 5),
]  # fmt: skip
# At 10^9 instructions in a second: the most that heartbeats may take of a
# processor of each of 32 hosts, at default timing.
SHARE_MAX = 0.005
# Up to so many hosts nobody who asks has to wait while another host leaves or joins.
# Of more the exchange itself outlasts a SYN here, where they share one processor.
GAPLESS_HOSTS = 16


def cluster() -> int:
    """`make bench-cluster`. CLUSTERS="32:200:5 …" measures these alone."""
    built = build()
    chosen = os.environ.get("CLUSTERS", "").split()
    clusters = [tuple(map(int, one.split(":"))) for one in chosen] or CLUSTERS
    head = (
        "leave ms", "join ms", "gap ms", "detect ms", "failure ms", "limit", "gap ms",
        "bytes/s", "insn/s", "share", "frame",
    )  # fmt: skip
    print(f"Clusters in virtual time on {built.release}; bytes and instructions are those of one host.\n")
    print(f"{'hosts':>5} {'timing':>10} " + " ".join(f"{word:>10}" for word in head), flush=True)
    results: list[dict] = []
    failed: list[str] = []
    for hosts, period, tolerance in clusters:
        try:
            with booted(built, "cluster") as machine:
                lines = script(machine, "cluster", str(hosts), str(period), str(tolerance))
        except BenchError as error:
            failed.append(f"{hosts} hosts at {period} ms × {tolerance}: {error}")
            print(f"{hosts:5} {period:4} ms × {tolerance} not measured", flush=True)
            continue
        got = {line[0]: float(line[1]) for line in lines}
        core = next(line[1:] for line in lines if line[0] == "core")
        result = {
            "kernel": built.release, "hosts": hosts, "period_ms": period, "tolerance": tolerance,
            "leave_ms": got["leave"], "join_ms": got["join"], "planned_gap_ms": got["planned"],
            "detection_ms": got["detection"], "failure_ms": got["failure"],
            "limit_ms": (tolerance + 2) * period, "gap_ms": got["gap"],
            "bytes_per_second": got["bytes"], "insn_per_second": got["instructions"] / hosts,
            "frame_bytes": int(core[0]), "core_sent": int(core[1]), "core_received": int(core[2]),
        }  # fmt: skip
        results.append(result)
        cells = [f"{value:.0f}" for value in list(result.values())[4:13]]
        cells.insert(9, f"{result['insn_per_second'] / 1e9:.2%}")
        cells.append(str(result["frame_bytes"]))
        print(f"{hosts:5} {period:4} ms × {tolerance} " + " ".join(f"{cell:>10}" for cell in cells), flush=True)
    print(f"\nAll of it: {os.path.relpath(save('bench-cluster.json', built.release, results))}")
    failed += [text for result in results for text in beyond(result)]
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def beyond(result: dict) -> list[str]:
    """What of a cluster's figures is beyond what must hold."""
    hosts, period = result["hosts"], result["period_ms"]
    which = f"{hosts} hosts at {period} ms × {result['tolerance']}"
    told = []
    if result["failure_ms"] > result["limit_ms"]:
        told.append(f"{which}: a failure takes {result['failure_ms']:.0f} ms, more than {result['limit_ms']}")
    if hosts <= GAPLESS_HOSTS and result["planned_gap_ms"]:
        told.append(f"{which}: in planned changes a client waits {result['planned_gap_ms']:.0f} ms")
    share = result["insn_per_second"] / 1e9
    if (hosts, period) == (32, 200) and share > SHARE_MAX:
        told.append(f"{which}: heartbeats take {share:.2%} of a processor, more than {SHARE_MAX:.1%}")
    return told


# Processors


CPUS = (1, 2, 4)
PACKETS = 3200


@dataclasses.dataclass
class Trace:
    """What the emulator's plugin saw between the generator's marks."""

    # Function → processor → instructions.
    functions: dict[str, collections.Counter]
    # Cache line → processors that nlb wrote it on.
    written: dict[int, set[int]]


def build_plugin() -> pathlib.Path:
    """The plugin, for the emulator of this machine."""
    source = paths.TESTS / "bench" / "trace" / "trace.c"
    target = paths.BUILD / "trace.so"
    command = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-fvisibility=hidden", "-o", target, source]
    if subprocess.run(command, check=False).returncode != 0:
        raise programs.BuildError("the emulator's plugin does not build")
    return target


def read_trace(path: pathlib.Path, lines: list[list[str]]) -> Trace:
    """A plugin's file, with the guest's list of functions."""
    packed = base64.b64decode("".join(line[1] for line in lines if line[0] == "symbols"))
    symbols = []
    for line in gzip.decompress(packed).decode().splitlines():
        address, name, *module = line.split()
        symbols.append((int(address, 16), name, module[0].strip("[]") if module else "kernel"))
    symbols.sort()
    starts = [address for address, _, _ in symbols]
    functions: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    written: dict[int, set[int]] = collections.defaultdict(set)
    for line in path.read_text().splitlines():
        kind, address, cpu, value = line.split()
        at = bisect.bisect_right(starts, int(address, 16)) - 1
        _, name, module = symbols[at]
        if kind == "i":
            functions[f"{module}:{name}"][int(cpu)] += int(value)
        elif module == "nlb":
            written[int(value, 16)].add(int(cpu))
    return Trace(functions, written)


def traced(built: programs.Programs, plugin: pathlib.Path, cpus: int, *what: str) -> Trace:
    """Boots a guest with so many processors, has it send packets, and reads the trace."""
    name = f"{what[0]}{cpus}"
    out = paths.LOGS / f"trace-{name}.out"
    out.unlink(missing_ok=True)
    with booted(built, f"scale-{name}", cpus, f"{plugin},out={out}") as machine:
        lines = script(machine, "scale", *what)
    return read_trace(out, lines)


def profile(title: str, trace: Trace) -> None:
    """Prints the functions in which most instructions of a packet go."""
    print(f"\n{title}, receive path and all, on one processor:\n")
    whole = sorted(trace.functions.items(), key=lambda item: -sum(item[1].values()))
    for name, by_cpu in whole[:16]:
        print(f"{sum(by_cpu.values()) / PACKETS:9.1f}  {readable(name)}")


def in_nlb(trace: Trace) -> collections.Counter:
    """Instructions inside the module, by processor."""
    total: collections.Counter = collections.Counter()
    for name, counts in trace.functions.items():
        if name.startswith("nlb:"):
            total.update(counts)
    return total


def scale() -> int:
    """`make bench-scale`."""
    built, plugin = build(), build_plugin()
    results: list[dict] = []
    shared = 0
    print(f"nlb on {built.release}, UDP over IPv4, not mine, by processors:\n")
    print(f"{'processors':>10} {'instructions of nlb for each packet':40} {'lines written':>14} {'on two':>7}")
    for cpus in CPUS:
        trace = traced(built, plugin, cpus, "trace", str(PACKETS), "udp:4")
        counts = in_nlb(trace)
        if len(counts) != cpus:
            raise BenchError(f"packets arrived on {len(counts)} of {cpus} processors")
        on_two = [line for line, by in trace.written.items() if len(by) > 1]
        shared += len(on_two)
        cells = " ".join(f"{counts[cpu] / PACKETS:.1f}" for cpu in sorted(counts))
        print(f"{cpus:10} {cells:40} {len(trace.written):14} {len(on_two):7}")
        for cpu in sorted(counts):
            results.append({
                "kernel": built.release, "subject": "nlb-not-mine", "case": "udp", "family": 4,
                "cpus": cpus, "cpu": cpu, "insn_per_packet": counts[cpu] / PACKETS,
                "lines_written_on_two": len(on_two),
            })  # fmt: skip
        if cpus == 1:
            first = trace
    profile("Where a packet's instructions go", first)
    profile("Where they go in a bucket that moved, second chance miss", traced(built, plugin, 1, "moved", str(PACKETS)))
    with booted(built, "memory") as machine:
        lines = script(machine, "scale", "memory")
    print(f"\n{'rules':>6} {'VIPs':>6} {'bytes of a cluster, as charged by the kernel':>46}")
    for _, what, rules, vips, size in lines:
        print(f"{rules:>6} {vips:>6} {int(size):46}")
        results.append({
            "kernel": built.release, "subject": what, "rules": int(rules), "vips": int(vips),
            "bytes": int(size),
        })  # fmt: skip
    results += [dict(row, kernel=built.release) for row in sessions(built)]
    print(f"\nAll of it: {os.path.relpath(save('bench-scale.json', built.release, results))}")
    if shared:
        raise BenchError(f"{shared} cache lines were written by the hook on more than one processor")
    return 0


# What one of 2.6·10⁵ sessions may cost more than one of 10⁴.
SESSIONS = (800, 10_000, 260_000)
SESSIONS_DEARER = 1.2


def sessions(built: programs.Programs) -> list[dict]:
    """What a cluster with so many sessions without a socket takes, and what a packet of one costs."""
    with booted(built, "sessions") as machine:
        lines = script(machine, "scale", "sessions", *map(str, SESSIONS))
    base = next(float(line[1]) for line in lines if line[0] == "floor")
    rows = []
    print(f"\n{'sessions':>9} {'bytes':>11} {'for each':>9} {'instructions of a packet, over floor':>37}")
    for _, count, size, cost in (line for line in lines if line[0] == "sessions"):
        over = float(cost) - base
        print(f"{count:>9} {int(size):11} {int(size) / int(count):9.0f} {over:37.0f}")
        rows.append({
            "subject": "nlb-session", "case": "udp", "family": 4, "rules": 1, "vips": 1, "cpus": 1, "burst": 1,
            "sessions": int(count), "bytes": int(size), "insn_per_packet": float(cost), "over_floor": over,
        })  # fmt: skip
    few, many = (row["over_floor"] for row in rows[-2:])
    if many > few * SESSIONS_DEARER:
        raise BenchError(f"a packet costs {many:.0f} with {SESSIONS[-1]} sessions, {few:.0f} with {SESSIONS[-2]}")
    return rows


def readable(name: str) -> str:
    """A function's name without what the compiler put around it."""
    done = subprocess.run(["c++filt"], input=name.split(":", 1)[1], stdout=subprocess.PIPE, text=True, check=True)
    return f"{done.stdout.strip()[:90]} ({name.split(':', 1)[0]})"


if __name__ == "__main__":
    sys.exit("use qemu-tests/measure")
