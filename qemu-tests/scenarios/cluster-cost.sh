# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a heartbeat and a map cost, in instructions
# clock: counted
# timeout: 900
#
# In the kernel: a loop in userspace takes all the time that nothing else takes,
# and each instruction is a nanosecond; so the loops that are missing while
# hosts beat are the instructions of their heartbeats. One host sends to nobody;
# of two and three each frame is received by the others as well.

SPIN_MS=500
PERIOD_MS=10

# spin: how many loops userspace gets done in a second. Nothing else runs then.
spin() {
	tt spin --ms "$SPIN_MS" >/run/test/spin.json
	field spin '.loops * 1e9 / .ns'
}

hosts 3
load_module
# The first one warms up whatever there is to warm.
idle=$(spin)
idle=$(spin)
stolen=()
for n in 1 2 3; do
	join "$n" --period "${PERIOD_MS}ms" --tolerance 3
	wait_converged "$n"
	# Instructions in each period, by all heartbeats of all hosts.
	stolen[n]=$(jq -n --argjson idle "$idle" --argjson now "$(spin)" --argjson ms "$PERIOD_MS" \
		'(1 - $now / $idle) * 1e6 * $ms | round')
done
note "instructions in a period: ${stolen[1]} with one host, ${stolen[2]} with two, ${stolen[3]} with three"
sent=${stolen[1]}
received=$(((stolen[3] - 3 * sent) / 6))
note "a heartbeat is sent for $sent instructions, and received and verified for $received,"
note "with timer, veth and switch in it"
# Guards against getting dearer, not aims.
within "heartbeat sent, in instructions" "$sent" 2000 60000
within "heartbeat received and verified, in instructions" "$received" 2000 60000

# The core by itself, with SHA-256 of userspace.
for size in 3 64; do
	tt cost --hosts "$size" >"/run/test/cost$size.json"
	note "the core at $size hosts: $(cat "/run/test/cost$size.json")"
done
within "a map for 64 hosts from nothing, in instructions" "$(field cost64 .map_cold)" 1000 500000
within "a map for 64 hosts after a leave, in instructions" "$(field cost64 .map_leave)" 1000 500000
within "a heartbeat at 64 hosts fits one frame" "$(field cost64 .frame_bytes)" 500 1500
