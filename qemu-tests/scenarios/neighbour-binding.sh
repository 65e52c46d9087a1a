# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: nobody learns another MAC for the VIP, and the switch never learns the virtual one
#
# All ARP of the segment is captured while hosts open connections of their
# own, from every address they have, and a second interface of a host asks and
# is asked on the same segment.

hosts 3
plug h1 eth1 p1b 02:00:00:00:01:01
ip -n h1 addr add 10.0.1.1/16 dev eth1
capture arp sw br0 arp
capture all sw br0 not port 80

load_module
for i in 1 2 3; do
	serve "$i"
	join "$i"
done
background c answer tt serve --id 64 --listen "$CLIENT:8080"
wait_until 10 logged_line answer serving
wait_converged 3
requests 300 first

# speak NS ADDRESS TARGET: a connection of a host's own, after it has
# forgotten all neighbours, so that it must ask first.
speak() {
	ip -n "$1" neigh flush all
	on "$1" curl --silent --max-time 1 --interface "$2" -o "/run/test/spoke" "http://$3" || :
}

rounds=3
for ((round = 0; round < rounds; round++)); do
	for i in 1 2 3; do
		speak "h$i" "10.0.0.$i" "$CLIENT:8080"
		speak "h$i" "$VIP" "$CLIENT:8080"
		speak "h$i" "10.0.0.$i" "10.0.0.$((i % 3 + 1)):80"
	done
	speak h1 10.0.1.1 "$CLIENT:8080"
	ip -n c neigh flush all
	requests 30 again
done

# The other interface is asked as well, by name of the VIP and by broadcast.
on c arping -c 3 -w 5 -I eth0 "$VIP" >/run/test/arping.log || :
# A host that asks in the VIP's name by hand, past its own stack.
on h2 arping -c 2 -w 5 -I eth0 -s "$VIP" "$CLIENT" >/run/test/forged.log || :

same "the client's neighbour entry" "$VIRTUAL_MAC" \
	"$(ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr')"
for i in 1 2 3; do
	learned=$(ip -n "h$i" -j neigh show "$VIP" | jq -r '[.[] | .lladdr | select(. != null)] | unique | join(",")')
	check "host $i has no other MAC for the VIP" [ "${learned:-$VIRTUAL_MAC}" = "$VIRTUAL_MAC" ]
done
# Peers learn from ARP requests they are asked; the VIP must be in none.
bridge -n sw -j fdb show br br0 >/run/test/fdb.json
same "the switch has not learned the virtual MAC" 0 \
	"$(jq "[.[] | select(.mac == \"$VIRTUAL_MAC\")] | length" /run/test/fdb.json)"
check "the switch has learned the hosts" grep -q "$(host_mac 2)" /run/test/fdb.json

capture_end arp
capture_end all
note "$(cat /run/test/arp.json)"
same "MACs bound to the VIP in all ARP frames" "$VIRTUAL_MAC" \
	"$(field arp ".bindings.\"$VIP\" | join(\",\")")"
# (Host 1 has two cards on the segment, and Linux answers for its own address
# at either.)
for i in 2 3; do
	same "host $i's own address is bound to its own MAC" "$(host_mac "$i")" \
		"$(field arp ".bindings.\"10.0.0.$i\" | join(\",\")")"
done
same "no frame has the virtual MAC as its source" false \
	"$(field all ".sources | index(\"$VIRTUAL_MAC\") != null")"
