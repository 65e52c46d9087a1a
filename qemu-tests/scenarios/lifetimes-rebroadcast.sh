# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: an interface that goes while something holds it is told of again and again
# clock: real
# cpus: 2
# timeout: 200
#
# The kernel waits for the last reference to an unregistered interface, and from
# second to second tells all modules again that it goes (netdev_wait_allrefs_any()).
# By then it has left its namespace, where its index may be another's. The
# generator of packets holds its interface for as long as it fires.

SEEN=/sys/kernel/debug/netdev_events/seen

# unregistered: how often an interface was said to go.
unregistered() {
	awk '$1 == "NETDEV_UNREGISTER" { print $2 }' "$SEEN"
}

told_again() {
	[ "$(unregistered)" -ge "$1" ]
}

# held DEV: the generator fires on it, and with it holds it.
held() {
	echo "$1 tx 4000000000 1 0 0 0 $(frame udp 4 | cut -d' ' -f3)" >"$GUN" &
	FIRES=$!
	wait_until 10 fires "$1"
}

fires() {
	[ "$(cat "/sys/class/net/$1/statistics/tx_packets")" -gt 0 ]
}

gone() {
	! kill -0 "$1" 2>/run/test/out
}

up() {
	nlbadm up "$1" --cluster "$2" --host-id 1 --vip "$3" --no-key 2>/run/test/out
}

clusters() {
	nlbadm -j show | jq -r '[.[].interface] | join(" ")'
}

load_gun
insmod /nlb/netdev_events.ko
defer rmmod netdev_events
load_module
ip link add held0 type dummy
ip link set held0 arp on multicast on up
index=$(cat /sys/class/net/held0/ifindex)
up held0 first 10.5.0.10
same "clusters" held0 "$(clusters)"

held held0
before=$(unregistered)
ip link del held0 &
deletes=$!
check "it has left its namespace" wait_until 10 [ ! -e /sys/class/net/held0 ]
same "its cluster has ended" "" "$(clusters)"

# A new one takes its index, and has a cluster.
ip link add later0 index "$index" type dummy
ip link set later0 arp on multicast on up
same "the index of another one now" "$index" "$(cat /sys/class/net/later0/ifindex)"
up later0 second 10.5.0.11
check "the kernel tells again that the first one goes" wait_until 20 told_again $((before + 3))
check "it waits for the reference" not gone "$deletes"
same "the cluster of the new one stands" later0 "$(clusters)"
same "references to the module" 1 "$(cat /sys/module/nlb/refcnt)"

kill -INT "$FIRES"
check "given back, the first one goes" wait_until 20 gone "$deletes"
same "the cluster of the new one stands on" later0 "$(clusters)"
check "it can be taken down" nlbadm down later0
ip link del later0
