# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: VLAN, bond, team, bridge, macvlan: each kind of interface serves, fails and returns
# timeout: 300
#
# Host 1 has a plain card. Host 2's interface is of one kind after another, on
# top of its card or cards, in multicast mode; LONG=1: in unicast mode as well.
# (virtio is what several guests have: guests-*.)

hosts 2
# A second card of host 2, for the bond.
plug h2 eth1 p2b 02:00:00:00:01:02
load_module
serve 1
serve 2

members_are_both() {
	members_are h1 eth0 1 2 && members_are h2 "$DEV" 1 2
}
# alone: host 1 is the only member.
alone() {
	members_are h1 eth0 1
}
up() {
	adm h2 up "$DEV" --cluster test --host-id 2 --vip "$VIP" --key-file "$KEY_FILE" --affinity none --mode "$MODE"
}
cut_both() {
	ip -n sw link set p2 down
	ip -n sw link set p2b down
}
plug_both() {
	ip -n sw link set p2 up
	ip -n sw link set p2b up
}
declare -A mac=([unicast]=02:bf:0a:00:00:0a [multicast]=03:bf:0a:00:00:0a [igmp]=01:00:5e:7f:00:0a)

# kind NAME: DEV is made; it serves, loses its cable, and serves again.
kind() {
	local name="$1, $MODE mode"
	# Host 1 begins anew as well: it would hold out a host that joins again and again.
	join 1 --mode "$MODE"
	ip -n h2 link set "$DEV" up
	ip -n h2 addr add 10.0.0.2/16 dev "$DEV"
	ip -n h2 route add "$SOURCES" via "$CLIENT"
	wait_until 10 carrier
	up
	check "$name: both are members" wait_until 20 members_are_both
	ip -n c neigh flush all
	ip -n h1 neigh flush all
	requests 60 kind
	same "$name: answered" 60 "$(field kind .answered)"
	same "$name: by both" 2 "$(field kind '.hosts | length')"
	same "$name: the client's neighbour entry" "${mac[$MODE]}" \
		"$(ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr')"
	check "$name: its dedicated IP is reached" reached
	# Frames that are merged or not, and whose checksums are in them or left to be made.
	offloads off
	requests 30 gro
	same "$name: without offloads: answered" 30 "$(field gro .answered)"
	same "$name: without offloads: by both" 2 "$(field gro '.hosts | length')"
	offloads on

	cut_both
	check "$name: cable out: the other goes on alone" wait_until 10 alone
	requests 30 cut
	same "$name: cable out: answered by the other" 30 "$(field cut '.hosts."1"')"
	plug_both
	check "$name: cable in: both are members" wait_until 20 members_are_both
	requests 60 again
	same "$name: cable in: answered" 60 "$(field again .answered)"
	same "$name: cable in: by both" 2 "$(field again '.hosts | length')"
	adm h2 down "$DEV"
	same "$name: nothing is left" "" "$(vips_of 2)"
	leave 1
}
# offloads on|off: GRO at host 2's interface and its cards, checksums at the client's card.
offloads() {
	local dev
	for dev in eth0 eth1 "$DEV"; do
		on h2 ethtool -K "$dev" gro "$1" 2>/run/test/ethtool.err || :
	done
	on c ethtool -K eth0 tx "$1" rx "$1" >/run/test/ethtool.out
}
reached() {
	on h1 ping -q -c 1 -W 2 10.0.0.2 >/run/test/ping.log
}
carrier() {
	ip -n h2 link show dev "$DEV" | grep -q LOWER_UP
}

# Two cards of a plain host are two MACs on the segment; the second is used by the bond alone.
ip -n h2 addr flush dev eth0
ip -n h2 link set eth1 down

# tagged: the switch sends VLAN 1 tagged to host 2; untagged: as before.
tagged() {
	ip -n sw link set br0 type bridge vlan_filtering 1
	bridge -n sw vlan add dev p2 vid 1
}
untagged() {
	bridge -n sw vlan add dev p2 vid 1 pvid untagged
	ip -n sw link set br0 type bridge vlan_filtering 0
}

for MODE in multicast ${LONG:+unicast}; do
	DEV=eth0
	kind "veth"
	ip -n h2 addr flush dev eth0

	tagged
	DEV=eth0.1
	ip -n h2 link add link eth0 name "$DEV" type vlan id 1
	kind "VLAN"
	ip -n h2 link del "$DEV"
	untagged

	DEV=bond0
	ip -n h2 link add "$DEV" type bond mode active-backup miimon 100
	for port in eth0 eth1; do
		ip -n h2 link set "$port" down
		ip -n h2 link set "$port" master "$DEV"
	done
	kind "bond"
	ip -n h2 link del "$DEV"
	ip -n h2 link set eth0 up

	DEV=team0
	ip -n h2 link add "$DEV" type team
	# Without a mode a team passes no frame; the second port takes its turn at sending.
	on h2 tt team --ifindex "$(ip -n h2 -j link show "$DEV" | jq '.[0].ifindex')" --mode roundrobin
	for port in eth0 eth1; do
		ip -n h2 link set "$port" down
		ip -n h2 link set "$port" master "$DEV"
	done
	kind "team"
	ip -n h2 link del "$DEV"
	ip -n h2 link set eth1 down
	ip -n h2 link set eth0 up

	DEV=br9
	ip -n h2 link add "$DEV" type bridge forward_delay 0
	ip -n h2 link set eth0 master "$DEV"
	kind "bridge"
	ip -n h2 link del "$DEV"

	DEV=mv0
	kinds=passthru
	[ "$MODE" = unicast ] || kinds="bridge passthru"
	for sort in $kinds; do
		ip -n h2 link add link eth0 name "$DEV" type macvlan mode "$sort"
		kind "macvlan, $sort"
		ip -n h2 link del "$DEV"
	done
done
