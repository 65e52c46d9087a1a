# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a heartbeat and a map cost, in instructions
# clock: counted
# timeout: 900
#
# In the kernel: each instruction is a nanosecond, so a loop in userspace that
# looks at the clock sees how many instructions each interrupt takes. Ticks, RCU
# and the kernel's own threads take more or less of them from run to run; the
# heartbeats are what comes back in each period, at the same phase, for the same
# price. One host sends to others that are no members yet; of two and three each
# heartbeat is received by the others as well.

# An odd number: the kernel ticks every 4 ms, so at each phase of a period at
# which it ticks at all, it does so in every fourth period only.
PERIOD_MS=11

# periodic: instructions that are taken from userspace in each period.
periodic() {
	tt spin --period-ms "$PERIOD_MS" >/run/test/spin.json
	note "$(cat /run/test/spin.json)"
	stolen=$(field spin .periodic)
}

hosts 3
load_module
periodic
same "instructions that come back in each period without a cluster" 0 "$stolen"
taken=()
# One that hears nobody sends its heartbeats inside IP too, unless it has no address to send them from.
ip -n h1 addr del 10.0.0.1/16 dev eth0
for n in 1 2 3; do
	join "$n" --period "${PERIOD_MS}ms" --tolerance 3
	wait_converged "$n"
	periodic
	taken[n]=$stolen
	[ "$n" -gt 1 ] || ip -n h1 addr add 10.0.0.1/16 dev eth0
done
note "instructions in a period: ${taken[1]} with one host, ${taken[2]} with two, ${taken[3]} with three"
sent=${taken[1]}
received=$(((taken[3] - 3 * sent) / 6))
note "a heartbeat is sent for $sent instructions, and received and verified for $received,"
note "with timer, veth and switch in it"
# Guards against getting dearer, not aims: they are 42,000 and 18,000.
within "heartbeat sent, in instructions" "$sent" 30000 50000
within "heartbeat received and verified, in instructions" "$received" 10000 22000

# The core by itself, with SHA-256 of userspace.
for size in 3 64; do
	tt cost --hosts "$size" >"/run/test/cost$size.json"
	note "the core at $size hosts: $(cat "/run/test/cost$size.json")"
done
within "a map for 64 hosts from nothing, in instructions" "$(field cost64 .map_cold)" 1000 500000
within "a map for 64 hosts after a leave, in instructions" "$(field cost64 .map_leave)" 1000 500000
within "a heartbeat at 64 hosts fits one frame" "$(field cost64 .frame_bytes)" 500 1500
