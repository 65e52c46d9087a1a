# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What "make bench-cluster" runs in a guest, with HOSTS PERIOD_MS TOLERANCE as
# its arguments: a cluster of namespaces on a switch, in virtual time. Its lines:
#   row join|leave|failure|gap MS
#   row bytes N              of heartbeats, that a host sends in a second
#   row instructions N       in a second, of all hosts' heartbeats
#   row core HOSTS FRAME_BYTES SENT RECEIVED

SPIN_MS=1000

# spin: how many loops userspace gets done in that time.
spin() {
	tt spin --ms "$SPIN_MS" >/run/test/spin.json
	field spin '.loops * 1e9 / .ns'
}

sent_bytes() {
	on h1 cat /sys/class/net/eth0/statistics/tx_bytes
}

elapsed() {
	echo "row $1 $(($(event_ms) - $2))"
}

measure() {
	local n=$1 period=$2 tolerance=$3 i idle busy before began others last=$1
	mapfile -t others < <(seq 1 "$((n - 1))")
	hosts "$n"
	load_module
	idle=$(spin)
	idle=$(spin)
	for ((i = 1; i <= n; i++)); do
		serve "$i"
		join "$i" --period "${period}ms" --tolerance "$tolerance"
	done
	# shellcheck disable=SC2046
	wait_agree 120 $(seq 1 "$n")

	# What heartbeats cost while nothing happens.
	before=$(sent_bytes)
	began=$(now_ms)
	busy=$(spin)
	echo "row bytes $((($(sent_bytes) - before) * 1000 / ($(now_ms) - began)))"
	echo "row instructions $(jq -n --argjson idle "$idle" --argjson busy "$busy" '(1 - $busy / $idle) * 1e9 | round')"

	# Planned, seen from a host that is no part of it.
	watch 1
	began=$(wall_ms)
	adm "h$last" stop eth0
	converged 1 30 "${others[@]}"
	elapsed leave "$began"
	next_event 1 10 "*\"host_id\":$last,*\"out_reason\":\"left\"*" || :
	began=$(wall_ms)
	adm "h$last" start eth0
	converged 1 30 "${others[@]}" "$last"
	elapsed join "$began"

	# A power cut, seen by the others and by the clients of the host.
	load cut --sources 150 --interval-ms 10 --timeout-ms 4000
	began=$(now_ms)
	wait_until 30 passed_ms "$began" 2500
	began=$(wall_ms)
	crash "$last"
	converged 1 30 "${others[@]}"
	elapsed failure "$began"
	began=$(now_ms)
	wait_until 30 passed_ms "$began" 2500
	load_end cut
	echo "row gap $(field cut ".by_first_host.\"$last\".gap_ms // 0")"

	tt cost --hosts "$n" >/run/test/core.json
	echo "row core $n $(field core '"\(.frame_bytes) \(.sent) \(.received)"')"
}

passed_ms() {
	[ "$(($(now_ms) - $1))" -ge "$2" ]
}

measure "${BENCH_ARGS[@]}"
