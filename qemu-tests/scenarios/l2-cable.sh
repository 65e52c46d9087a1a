# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a pulled cable: failover within 1.4 s, with a second path alive too; no duplicate service on return
# clock: counted
# timeout: 420
#
# The plug of host 2 is pulled out (it loses its carrier), or its port is taken
# out of the switch (it does not), each without and with heartbeats on another
# network. Default heartbeats: a detection time is 1.4 s.
#
# A host that keeps its carrier, and hears nobody on any path, cannot tell that
# it is alone from that the others are dead: it serves everything. When its port
# is put in again, a SYN that comes before the first heartbeat is answered twice,
# and its connection refused by the host that is not the client's. Nothing else
# may fail.

DETECTION_MS=1400

hosts 3
second_network 1 2 3
load_module
for i in 1 2 3; do
	serve "$i"
	join "$i" --affinity single
done
wait_converged 3

take_port_out() { ip -n sw link set "p$1" nomaster; }
put_port_in() { ip -n sw link set "p$1" master br0; }

run_for() {
	local until=$(($(now_ms) + $1))
	past() { [ "$(now_ms)" -ge "$until" ]; }
	wait_until 60 past
}
reached() {
	on h2 ping -q -c 1 -W 2 10.0.0.1 >/run/test/ping.log
}
owns_nothing() {
	buckets_are 1 2 0
}
owns_its_share() {
	buckets_about 1365 1 2
}
# pulled TEXT PULL PLUG: host 2's clients meanwhile, and when it is back.
pulled() {
	local text=$1 name=${1//[^a-z]/}
	load "$name" --sources 120 --interval-ms 10 --timeout-ms 4000
	# Each address has its host after one round of all of them.
	run_for 1500
	"$2" 2
	check "$text: host 2's buckets move" wait_until 5 owns_nothing
	run_for 1500
	load_end "$name"
	check "$text: host 2 had clients" [ "$(field "$name" '.by_first_host."2".requests')" -gt 20 ]
	within "$text: gap of host 2's clients in ms" "$(field "$name" '.by_first_host."2".gap_ms')" 0 "$DETECTION_MS"
	for id in 1 3; do
		same "$text: failed requests of host $id's clients" 0 "$(field "$name" ".by_first_host.\"$id\".failed")"
	done
	requests 60 without
	same "$text: answered by the others" 60 "$(field without '(.hosts."1" // 0) + (.hosts."3" // 0)')"

	capture "wire-$name" sw pc tcp port 80
	"$3" 2
	load "back-$name" --sources 120 --interval-ms 10 --timeout-ms 4000 --list "/run/test/back-$name.list"
	run_for "$DETECTION_MS"
	capture "later-$name" sw pc tcp port 80
	check "$text: it has its share again" wait_until 20 owns_its_share
	run_for 1500
	load_end "back-$name"
	capture_end "wire-$name"
	capture_end "later-$name"
	same "$text, on return: SYNs answered twice after a detection time" 0 "$(field "later-$name" .answered_twice)"
	twice=$(field "wire-$name" .answered_twice)
	[ "$text" = "$DEAF" ] || same "$text, on return: SYNs answered twice" 0 "$twice"
	within "$text, on return: failed requests, at most the SYNs answered twice" \
		"$(field "back-$name" '.requests - .answered')" 0 "$twice"
	# Start in ms, source, port, host id or failure.
	same "$text, on return: requests that failed after a detection time" 0 \
		"$(awk -v ms="$DETECTION_MS" '$1 > ms && $4 !~ /^[0-9]+$/' "/run/test/back-$name.list" | wc -l)"
	check "$text, on return: host 2 serves" [ "$(field "back-$name" '.hosts."2" // 0')" -gt 20 ]
	same "$text, on return: the client's neighbour entry" "$VIRTUAL_MAC" \
		"$(ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr')"
	check "$text, on return: hosts reach each other" reached
	wait_agree 20 1 2 3
}

DEAF="port taken out"
pulled "carrier lost" cut_cable plug_cable
pulled "$DEAF" take_port_out put_port_in
for i in 1 2 3; do
	relay "$i" 1 2 3
done
check "both paths are heard" wait_until 20 paths_are 1 2 segment,relay
pulled "carrier lost, second path alive" cut_cable plug_cable
pulled "port taken out, second path alive" take_port_out put_port_in
