# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a router that does not take a group's MAC for an address asks again and again, and is named
# clock: counted
# timeout: 300
#
# Row 15 of the field: FreeBSD, pfSense, OPNsense, Arista, Dell, HPE. All hosts are
# converged, and whoever comes by that router reaches nobody.

cluster 2 --vip "$VIP6"
watch 1
asking() {
	shown "$1" '.[0].asking'
}
is_asking() {
	[ "$(asking "$1")" = "$2" ]
}
# A client that is answered, for two minutes: no news.
background c healthy ping -q -i 1 "$VIP"
background c healthy6 ping -q -i 1 "$VIP6"
for i in 1 2 3 4 5 6; do
	pause 20
	ip -n c neigh flush dev eth0
	ip -n c -6 neigh flush dev eth0
done
same "a client that forgets each 20 seconds is no news" null "$(asking 1)"
kill_background healthy
kill_background healthy6

# It drops the answers, as if their MAC were none.
for family in 4 6; do
	to=$VIP drop='arp operation reply drop' station=02:00:00:00:00:64
	[ "$family" = 4 ] || to=$VIP6 drop='icmpv6 type nd-neighbor-advert drop'
	[ "$family" = 4 ] || {
		# Another station, for the same is told of once in ten minutes.
		station=02:00:00:00:00:65
		ip -n c link set eth0 address "$station"
	}
	on c nft "add table netdev deaf; add chain netdev deaf in { type filter hook ingress device eth0 priority 0; }
		add rule netdev deaf in $drop"
	ip -n c neigh flush dev eth0
	ip -n c -6 neigh flush dev eth0
	background c "asks$family" ping -q -i 0.5 "$to"
	check "IPv$family: named within half a minute" wait_until 30 is_asking 1 "$station"
	check "IPv$family: told" next_event 1 5 "*\"event\":\"asking\"*\"mac\":\"$station\"*"
	check "IPv$family: show says what helps" grep -q "ASKING: $station" <<<"$(adm h1 show eth0)"
	check "IPv$family: in the kernel's log" grep -q "nlb: $station keeps asking" <<<"$(dmesg)"
	kill_background "asks$family"
	on c nft delete table netdev deaf
done
