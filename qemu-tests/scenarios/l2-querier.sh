# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a switch with snooping and a querier starves group modes: show says so, and how to help
# timeout: 420
#
# Such a bridge looks a frame up by its IP destination, which is the VIP and no
# group; heartbeats are no IP and pass. With the defaults a detection time is
# 1.4 s.

DETECTION_MS=1400

starved() {
	adm "h$1" -j show eth0 | jq -r '.[0].starved | join(" ")'
}
# all_starved FAMILIES: as every host says.
all_starved() {
	local i
	for i in 1 2 3; do
		[ "$(starved "$i")" = "$1" ] || return 1
	done
}

hosts 3
load_module
for i in 1 2 3; do
	serve "$i"
done
watch_delivery() {
	background h3 "events-$1" nlbadm -j monitor eth0
	wait_until 10 subscribed h3
}
# reported MODE EVENT
reported() {
	jq -es --arg event "$2" 'any(.[]; .event == $event)' "/run/test/events-$1.log" >/run/test/found
}

# The bridge asks at once, and takes itself for a querier after a response time.
querier_on() {
	ip -n sw link set br0 type bridge mcast_query_response_interval 50 mcast_startup_query_interval 50
	ip -n sw link set br0 type bridge mcast_snooping 1 mcast_querier 1
}
querier_off() {
	ip -n sw link set br0 type bridge mcast_snooping 0 mcast_querier 0
}
# fails NAME: no client is served.
fails() {
	requests 5 "$1" --timeout-ms 1000
	[ "$(field "$1" .answered)" = 0 ]
}
serves() {
	requests 30 "$1" && [ "$(field "$1" .answered)" = 30 ]
}

for mode in multicast igmp; do
	for i in 1 2 3; do
		join "$i" --mode "$mode" --vip "$VIP6"
	done
	wait_converged 3
	watch_delivery "$mode"
	check "$mode: served while the switch floods" serves "$mode-before"
	steady 2000 all_starved ""
	same "$mode: nobody is starved" "" "$(starved 3)"

	querier_on
	check "$mode: the querier starves it" wait_until 20 fails "$mode-starved"
	check "$mode: every host says so for both families" wait_until 10 all_starved "ipv4 ipv6"
	adm h1 show eth0 >/run/test/show.txt
	note "$(grep -A 1 STARVED /run/test/show.txt)"
	check "$mode: show names the remedy" grep -q 'remedy:.*unicast mode.*snooping off.*router ports' /run/test/show.txt
	check "$mode: an event says so" reported "$mode" starved
	same "$mode: the cluster is converged nevertheless" "1 2 3" "$(seen h1 | sed 's/.*: //')"

	# How long it takes, from a moment when every frame stops at once.
	for i in 1 2 3; do
		bridge -n sw link set dev "p$i" mcast_router 2
	done
	check "$mode: ports of hosts as router ports: the hosts say so" wait_until 10 all_starved ""
	check "$mode: ports of hosts as router ports: served" serves "$mode-router"
	for i in 1 2 3; do
		bridge -n sw link set dev "p$i" mcast_router 0
	done
	began=$(now_ms)
	check "$mode: starved again" wait_until 10 all_starved "ipv4 ipv6"
	within "$mode: said after ms" $(($(now_ms) - began)) 0 $((DETECTION_MS + 300))
	check "$mode: still not served" fails "$mode-again"

	querier_off
	check "$mode: snooping off: the hosts say so" wait_until 10 all_starved ""
	check "$mode: snooping off: an event says so" reported "$mode" delivered
	check "$mode: snooping off: served" serves "$mode-off"
	kill_background "events-$mode"
	for i in 1 2 3; do
		leave "$i"
		bridge -n sw link set dev "p$i" mcast_router 1
	done
done

# The first remedy. A switch that does not flood unknown stations is what this mode cannot bear.
querier_on
for i in 1 2 3; do
	join "$i" --mode unicast
done
wait_converged 3
check "unicast: served in spite of the querier" serves unicast
steady 2000 all_starved ""
same "unicast: nobody is starved" "" "$(starved 1)"
for i in 1 2 3; do
	bridge -n sw link set dev "p$i" flood off
done
check "unicast, no flooding: every host says so" wait_until 10 all_starved ipv4
adm h2 show eth0 >/run/test/show.txt
check "unicast, no flooding: show names the remedy" grep -q 'remedy: let the switch flood' /run/test/show.txt
for i in 1 2 3; do
	bridge -n sw link set dev "p$i" flood on
done
check "flooding again: the hosts say so" wait_until 10 all_starved ""

# Who is alone cannot tell; who has lost the others does not make it up.
crash 1
crash 2
wait_agree 20 3
steady 3000 [ -z "$(starved 3)" ]
same "a host that is left alone says nothing" "" "$(starved 3)"
