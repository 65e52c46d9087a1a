# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: an announcement that gets lost is made again, in both forms, within seconds and for ten minutes
# clock: counted
# timeout: 300
#
# A router keeps what it has learned of a VIP for hours, and learns from announcements
# alone. Its first ones get lost: a port that still learns, a full queue. (keepalived
# issues 166 and 542, MetalLB issue 584)

DEAD=02:00:00:00:00:de

# known ADDRESS: the MAC that the router has for it.
known() {
	ip -n c -j neigh show "$1" dev eth0 | jq -r '.[0].lladdr // "none"'
}
# poison: the router has a dead MAC for both VIPs, which it believes in for hours.
poison() {
	local vip
	for vip in "$VIP" "$VIP6"; do
		ip -n c neigh replace "$vip" lladdr "$DEAD" dev eth0 nud reachable
	done
}
# lose MATCH…: frames to the router that match get lost, from now on; find ends it.
lose() {
	local match
	on sw nft 'add table bridge lose; add chain bridge lose forward { type filter hook forward priority 0; }'
	for match in "$@"; do
		on sw nft "add rule bridge lose forward oifname pc $match drop"
	done
}
find_again() {
	on sw nft delete table bridge lose
}
# healed WHAT SECONDS: after so long the router has the virtual MAC again, for both VIPs,
# and is served.
healed() {
	local vip
	pause "$2"
	for vip in "$VIP" "$VIP6"; do
		same "$1: the router has the virtual MAC of $vip" "$VIRTUAL_MAC" "$(known "$vip")"
	done
	requests 20 healed
	same "$1: the client is served" 20 "$(field healed .answered)"
	requests6 20 healed6
	same "$1: the client is served by IPv6" 20 "$(field healed6 .answered)"
}

hosts 1
on c sysctl -q net.ipv4.neigh.eth0.base_reachable_time_ms=36000000 net.ipv6.neigh.eth0.base_reachable_time_ms=36000000
make_key
load_module
serve 1
capture said sw br0 "arp and ether src $(host_mac 1)"

poison
lose 'ether type arp' 'icmpv6 type nd-neighbor-advert'
join 1 --vip "$VIP6"
wait_agree 30 1
pause 2
same "the router has missed the first ones" "$DEAD $DEAD" "$(known "$VIP") $(known "$VIP6")"
find_again
healed "two seconds later" 6

# Refreshed: whatever overwrites it later does not last.
poison
healed "within a minute" 61

# Routers that learn from one form only.
poison
lose "arp operation request arp saddr ip $VIP"
on c sysctl -q net.ipv4.conf.eth0.arp_accept=1
healed "replies only" 61
find_again
poison
lose "arp operation reply arp saddr ip $VIP"
healed "requests only" 61
find_again

# By hand, where a router is known to be wrong, from any host that serves.
poison
check "by hand" adm h1 announce eth0
pause 1
same "by hand: the router has the virtual MAC" "$VIRTUAL_MAC $VIRTUAL_MAC" "$(known "$VIP") $(known "$VIP6")"
poison
adm h1 stop eth0
check "by hand: not from a host that is stopped" not adm h1 announce eth0
pause 1
same "by hand: nothing was said" "$DEAD $DEAD" "$(known "$VIP") $(known "$VIP6")"
adm h1 start eth0
wait_agree 30 1

# And in the end it is quiet.
pause 600
capture_end said
note "$(field said .frames) frames of ARP in $(($(now_ms) / 1000)) s"
capture quiet sw br0 "arp and ether src $(host_mac 1) and arp[14:4] = 0x0a00000a"
pause 130
capture_end quiet
same "announcements later than ten minutes after the last change" 0 "$(field quiet .frames)"
