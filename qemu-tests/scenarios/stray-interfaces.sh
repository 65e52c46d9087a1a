# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: packets for a VIP are dropped on every other interface, and on no other host's way
# timeout: 300

hosts 2
load_module
join 1
join 2
wait_converged 2

# sent MAC: a datagram for the VIP, in a frame to a MAC.
sent() {
	on c nping -c 1 --send-eth -e eth0 --dest-mac "$1" --udp -p 9 "$VIP" >/run/test/nping.log 2>&1
}
dropped_is() {
	[ "$(counter h1 dropped-other-interface)" = "$1" ]
}
# passes NS DEV: count the datagrams that arrive there.
passes() {
	on "$1" nft "add table netdev t
		add chain netdev t in { type filter hook ingress device $2 priority 0; }
		add rule netdev t in ip daddr $VIP udp dport 9 counter accept"
}
passed_is() {
	[ "$(on "$1" nft -j list chain netdev t in | jq '[.. | .counter? | select(. != null) | .packets] | add')" = "$2" ]
}
n=0
# stray WHAT MAC: a packet to this MAC is dropped and counted, once.
stray() {
	sent "$2"
	n=$((n + 1))
	check "$1: dropped" wait_until 5 dropped_is "$n"
}

# An interface that comes when the cluster is there already.
plug h1 eth1 p1b 02:00:00:00:01:01
ip -n h1 addr add 10.0.1.1/16 dev eth1
stray "a new interface" 02:00:00:00:01:01

# A VRF hands packets in a second time.
ip -n h1 link add red type vrf table 7
ip -n h1 link set red up
ip -n h1 link set eth1 master red
stray "an interface in a VRF" 02:00:00:00:01:01
ip -n h1 link set eth1 nomaster
ip -n h1 link del red

# What crosses a bridge is not for this host; what goes up from it is.
add_netns y
ip -n h1 link add br1 address 02:00:00:00:01:02 type bridge
ip -n h1 link set br1 up
ip -n h1 addr add 10.0.1.2/16 dev br1
ip link add eth0 netns y address 02:00:00:00:00:79 type veth peer name y1 netns h1
ip -n y link set eth0 up
ip -n h1 link set y1 master br1 up
passes y eth0
ip -n h1 link set eth1 master br1
sent 02:00:00:00:00:79
check "a packet that crosses a bridge of this host arrives" wait_until 5 passed_is y 1
stray "a packet to the bridge itself" 02:00:00:00:01:02
ip -n h1 link set eth1 nomaster
stray "the interface out of the bridge again" 02:00:00:00:01:01
# Its frames were the bridge's when it was told that it is no port any more; the
# next event is that of another interface.
ip -n h1 link add other0 type dummy
stray "after an event of another interface" 02:00:00:00:01:01

# Frames of a macvlan device belong to whoever has it.
add_netns z
ip -n h1 link add mv0 link eth1 address 02:00:00:00:00:7a type macvlan mode bridge
ip -n h1 link set mv0 netns z
ip -n z link set mv0 up
passes z mv0
sent 02:00:00:00:00:7a
check "a packet to a macvlan device of another namespace arrives" wait_until 5 passed_is z 1
stray "the interface below it" 02:00:00:00:01:01
ip -n z link del mv0
stray "the interface without it" 02:00:00:00:01:01
ip -n h1 link del other0
ip -n h1 link add other0 type dummy
stray "without it, after an event of another interface" 02:00:00:00:01:01
same "on the way through, nothing was dropped" "$n" "$(counter h1 dropped-other-interface)"

same "and nothing was another host's" 0 "$(counter h2 dropped-other-interface)"

# An interface that moves to another host is that host's, and its first host's no more.
# dropped_at_2 COUNT
dropped_at_2() {
	[ "$(counter h2 dropped-other-interface)" = "$1" ]
}
move() {
	ip -n "$1" link set eth1 netns "$2"
	ip -n "$2" link set eth1 up
	ip -n "$2" addr add 10.0.1.1/16 dev eth1
}
move h1 h2
sent 02:00:00:00:01:01
check "the interface has moved to host 2: dropped there" wait_until 5 dropped_at_2 1
same "and host 1 counts no more" "$n" "$(counter h1 dropped-other-interface)"

# A host without a cluster drops nothing, and one that leaves does not disarm another.
leave 1
sent 02:00:00:00:01:01
check "host 1 has left: dropped at host 2 as before" wait_until 5 dropped_at_2 2
move h2 h1
passes h1 eth1
sent 02:00:00:00:01:01
check "host 1 is in no cluster: nothing is dropped there" wait_until 5 passed_is h1 1
join 1
check "it is a member again" wait_agree 20 1 2
same "and starts to count anew" 0 "$(counter h1 dropped-other-interface)"
n=0
stray "the interface is back, and the cluster" 02:00:00:00:01:01
same "nothing more at host 2" 2 "$(counter h2 dropped-other-interface)"

# Interfaces go while the cluster stays, and the cluster while they stay.
ip -n h1 link del br1
ip -n h1 link del eth1
leave 1
leave 2
