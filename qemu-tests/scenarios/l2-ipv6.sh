# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: an IPv6 VIP: served by all, one answer, never another MAC
#
# Dual-stack cluster. Hosts open connections of their own in the VIP's name;
# foreign stations ask with tools of their own.

hosts 3
plug h1 eth1 p1b 02:00:00:00:01:01
ip -n h1 addr add fd00::1:1/64 dev eth1 nodad
capture nd sw br0 'icmp6 or arp'
capture syn sw br0 "tcp and dst host $VIP6 or tcp and src host $VIP6"

load_module
for i in 1 2 3; do
	serve "$i"
	join "$i" --vip "$VIP6"
	# Where the interface has the VIP, too, the stack asks for IPv6 neighbours in its name.
	ip -n "h$i" addr add "$VIP6/128" dev eth0 nodad preferred_lft 0
done
background c answer tt serve --id 64 --listen "[fd00::64]:8080"
wait_until 10 logged_line answer serving
wait_converged 3

requests6 600 first
same "connections over IPv6 answered" 600 "$(field first .answered)"
for i in 1 2 3; do
	within "share of host $i over IPv6" "$(share first "$i")" 25 42
done
requests 100 four
same "connections over IPv4 answered" 100 "$(field four .answered)"

# speak NS SOURCE TARGET: a connection of a host's own, all neighbours forgotten.
speak() {
	ip -n "$1" -6 neigh flush all
	on "$1" curl --silent --max-time 1 --interface "$2" -o /run/test/spoke "http://[$3]:8080" || :
}
for i in 1 2 3; do
	speak "h$i" "$VIP6" fd00::64
	speak "h$i" "fd00::$i" fd00::64
done
# From the host's second card on the segment, whose answers could bind the VIP too.
speak h1 fd00::1:1 fd00::64

# The client's own kernel may ask at the same moment, and its answer is heard by ndisc6 too; two hosts that answered
# would do so every time.
asked_once() {
	on c ip -6 neigh flush all
	on c ndisc6 -1 -m "$VIP6" eth0 >/run/test/ndisc6.out || :
	[ "$(grep -c 'Target link-layer address' /run/test/ndisc6.out)" = 1 ]
}
check "ndisc6: one answer" wait_until 20 asked_once
check "ndisc6: the virtual MAC" grep -qi "$VIRTUAL_MAC" /run/test/ndisc6.out

# A stranger that wants the VIP for itself is told that it is taken.
add_netns x
plug x eth0 px 02:00:00:00:00:77
ip -n x addr add "$VIP6/64" dev eth0
dad_failed() {
	ip -n x -j -6 addr show dev eth0 | jq -e '[.[].addr_info[] | select(.dadfailed)] | length == 1' >/dev/null
}
check "a foreign station's duplicate address detection fails" wait_until 10 dad_failed
ip -n x addr flush dev eth0

requests6 100 again
same "afterwards: answered" 100 "$(field again .answered)"
same "the client's neighbour entry" "$VIRTUAL_MAC" \
	"$(ip -n c -6 -j neigh show "$VIP6" | jq -r '.[0].lladdr')"
bridge -n sw -j fdb show br br0 >/run/test/fdb.json
same "the switch has not learned the virtual MAC" 0 \
	"$(jq "[.[] | select(.mac == \"$VIRTUAL_MAC\")] | length" /run/test/fdb.json)"

capture_end nd
capture_end syn
note "$(cat /run/test/nd.json)"
same "MACs bound to the IPv6 VIP" "$VIRTUAL_MAC" "$(field nd ".bindings.\"$VIP6\" | join(\",\")")"
same "no frame has the virtual MAC as its source" false \
	"$(field nd ".sources | index(\"$VIRTUAL_MAC\") != null")"
same "SYNs answered twice" 0 "$(field syn .answered_twice)"
for i in 1 2 3; do
	check "host $i: its solicitations in the VIP's name were mended" \
		[ "$(counter "h$i" nd-leak-mended)" -gt 0 ]
done
