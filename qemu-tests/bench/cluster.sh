# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What "make bench-cluster" runs in a guest, with HOSTS PERIOD_MS TOLERANCE as
# its arguments: a cluster of namespaces on a switch, in virtual time. Its lines:
#   row leave|join MS        from before the command to the converged cluster
#   row detection MS         from a power cut to the word that the host is out
#   row failure MS           from a power cut to the converged cluster
#   row planned MS           gap that clients of the host saw when it left and joined
#   row gap MS               gap that clients of the host saw when its power was cut
#   row bytes N              that a host sends in a second
#   row instructions N       in a second, of all hosts' heartbeats
#   row core FRAME_BYTES SENT RECEIVED

SPIN_MS=2000
# CONFIG_HZ=250; periods are even.
TICK_MS=4

# Some host has the address that is the VIP elsewhere.
VIP=10.0.1.10

# A client of one host asks it every so many ms, which is how fine gaps are seen.
# Each of its packets is flooded to all hosts, and they share one processor.
interval_ms() {
	echo "$(($1 > 4 ? $1 : 4))"
}

# spin PERIOD_MS: instructions that are taken from userspace in a second by what
# comes back in each period: heartbeats, and the kernel's ticks. The rhythm of
# both is looked for, which is twice a period that ticks do not divide.
spin() {
	local both=$(($1 % TICK_MS ? 2 * $1 : $1))
	tt spin --period-ms "$both" --periods "$((SPIN_MS / both))" >/run/test/spin.json
	note "$(cat /run/test/spin.json)"
	SPUN=$(($(field spin .periodic) * 1000 / both))
}

sent_bytes() {
	ip -n h1 -s -j link show eth0 | jq '.[0].stats64.tx.bytes'
}

elapsed() {
	echo "row $1 $(($(event_ms) - $2))"
}

# client_of N: an address that host N serves.
client_of() {
	local i
	for ((i = 1; i < 255; i++)); do
		echo "10.1.0.$i:40000 $VIP:80"
	done | adm h1 -j owner --batch | jq -rs "[.[] | select(.owner == $1)][0].client"
}

passed_ms() {
	[ "$(($(now_ms) - $1))" -ge "$2" ]
}

# during MS: so long with the load as it is.
during() {
	local began
	began=$(now_ms)
	wait_until 30 passed_ms "$began" "$1"
}

# heartbeats PERIOD_MS IDLE: what they cost, beyond what is taken without any.
heartbeats() {
	local period=$1 idle=$2 before began
	before=$(sent_bytes)
	began=$(wall_ms)
	spin "$period"
	echo "row bytes $((($(sent_bytes) - before) * 1000 / ($(wall_ms) - began)))"
	echo "row instructions $((SPUN - idle))"
}

measure() {
	local n=$1 period=$2 tolerance=$3 i idle began others last=$1 client interval
	interval=$(interval_ms "$n")
	mapfile -t others < <(seq 1 "$((n - 1))")
	hosts "$n"
	load_module
	for ((i = 1; i <= n; i++)); do
		serve "$i"
	done
	spin "$period"
	idle=$SPUN
	for ((i = 1; i <= n; i++)); do
		join "$i" --affinity single --period "${period}ms" --tolerance "$tolerance"
	done
	# shellcheck disable=SC2046
	wait_agree 120 $(seq 1 "$n")
	heartbeats "$period" "$idle"

	# Planned, seen from a host that is no part of it.
	watch 1
	client=$(client_of "$last")
	note "the client of host $last: $client"
	SOURCES=$client/32 load planned --interval-ms "$interval" --timeout-ms 4000
	during 500
	began=$(wall_ms)
	adm "h$last" stop eth0
	converged 1 30 "${others[@]}"
	elapsed leave "$began"
	during 500
	began=$(wall_ms)
	adm "h$last" start eth0
	converged 1 30 "${others[@]}" "$last"
	elapsed join "$began"
	during 500
	load_end planned
	echo "row planned $(field planned .gap_ms)"
	# shellcheck disable=SC2046
	wait_agree 30 $(seq 1 "$n")

	# A power cut, seen by another host and by a client.
	client=$(client_of "$last")
	SOURCES=$client/32 load cut --interval-ms "$interval" --timeout-ms 4000
	during 500
	forget_events 1
	began=$(wall_ms)
	crash "$last"
	next_event 1 30 "*\"event\":\"host-out\"*\"host_id\":$last,*"
	elapsed detection "$began"
	converged 1 30 "${others[@]}"
	elapsed failure "$began"
	during 1500
	load_end cut
	check "the client was served by host $last" [ "$(field cut ".by_first_host.\"$last\".requests")" -gt $((320 / interval)) ]
	check "and later by others" [ "$(field cut '.hosts | length')" -gt 1 ]
	echo "row gap $(field cut .gap_ms)"

	tt cost --hosts "$n" >/run/test/core.json
	echo "row core $(field core '"\(.frame_bytes) \(.sent) \(.received)"')"
}

measure "${BENCH_ARGS[@]}"
