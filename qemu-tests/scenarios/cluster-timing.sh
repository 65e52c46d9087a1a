# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: how long a failure, a leave and a join take, at 200 ms × 5 and 10 ms × 3
# clock: counted
# timeout: 600
#
# Each is measured three times on one host that is not part of it, from before
# the command to the event that the cluster has converged. The clock counts
# instructions, so what else the machine does cannot change the result.

# Frames of prepare, ready, released and commit, and the start of nlbadm, which
# alone takes some ms here.
HANDOVER_MS=30

# elapsed SINCE: ms to the last event.
elapsed() {
	printf '%s\n' "$(($(event_ms) - $1))"
}

# measure TEXT PERIOD TOLERANCE LIMIT: three hosts with that timing.
measure() {
	local text=$1 period=$2 tolerance=$3 limit=$4 turn began
	local planned=$((2 * period + HANDOVER_MS))
	for i in 1 2 3; do
		join "$i" --period "${period}ms" --tolerance "$tolerance"
	done
	wait_converged 3
	watch 1
	for turn in 1 2 3; do
		began=$(wall_ms)
		adm h3 stop eth0
		converged 1 10 1 2
		within "$text: leave $turn in ms" "$(elapsed "$began")" 0 "$planned"
		next_event 1 10 '*"host_id":3,*"out_reason":"left"*' || :

		began=$(wall_ms)
		adm h3 start eth0
		converged 1 10 1 2 3
		within "$text: join $turn in ms" "$(elapsed "$began")" 0 "$planned"

		began=$(wall_ms)
		ip -n sw link set p2 nomaster
		converged 1 10 1 3
		within "$text: failure $turn in ms" "$(elapsed "$began")" 0 "$limit"

		began=$(wall_ms)
		ip -n sw link set p2 master br0
		converged 1 30 1 2 3
		note "$text: a partition healed in $(elapsed "$began") ms"
		wait_agree 30 1 2 3
	done
	kill_background watch1
	rm /run/test/watch1.pipe
	for i in 1 2 3; do
		leave "$i"
	done
}

hosts 3
load_module
measure "200 ms × 5" 200 5 1400
measure "10 ms × 3" 10 3 50
