# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What "make bench" runs in its guest, after the same preparations as a
# scenario: every subject gets the same frames on the same interface. Each
# result is a line
#   row SUBJECT CASE FAMILY RULES VIPS BURST INSTRUCTIONS
# in which the instructions are those of a packet, with receive path and all; or
#   row heartbeat HOSTS BYTES BLOCKS INSTRUCTIONS FLOOR
# for one received and verified, over an empty hook, and for what that costs.

CASES="tcp-data tcp-syn udp icmp-error"
# Those of which sessions are remembered, where they are served. What a session
# costs depends on where in the table a key that nobody knows has put it, so it
# takes many of them to tell: one for each fresh buffer.
TRACKED="quic gre"
# In which place of its set a fragment is remembered depends on those that came
# before it, and on when they came.
FRAGMENTS="fragment-first fragment-later"

# More runs than the guards do, for a table that repeats to half a percent: where
# a page for buffers ends, and a batch of freed ones, differs between boots.
COST_RUNS=40

row() {
	echo "row $*"
}

# rows SUBJECT RULES VIPS FAMILY CASE…: one result for each case.
rows() {
	local subject=$1 rules=$2 vips=$3 family=$4 case
	shift 4
	for case in "$@"; do
		row "$subject" "$case" "$family" "$rules" "$vips" "$COST_BURST" "$(cost "$case" "$family")"
	done
}

# fresh_rows SUBJECT…: the same with a fresh buffer for each packet.
fresh_rows() {
	COST_BURST=1
	COST_PACKETS=800
	rows "$@"
	COST_BURST=32
	COST_PACKETS=1600
}

# each SUBJECT: the plain cases that any filter can decide.
each() {
	rows "$1" 1 1 4 udp tcp-data tcp-syn
	fresh_rows "$1" 1 1 4 udp
}

# The floors: a hook that does nothing. What it accepts, another hook drops.
empty() {
	insmod /nlb/empty_hook.ko device="$COST_DEVICE"
	each floor-drop
	rows floor-drop 1 1 6 udp
	rmmod empty_hook
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" accept=1 backstop=1
	each floor-accept
	rows floor-accept 1 1 6 udp
	fresh_rows floor-accept 1 1 6 udp
	rmmod empty_hook
}

# apart ROWS SUBJECT CASES [OPTION…]: cases that leave something behind, each with
# a cluster of its own, measured by "rows" or "fresh_rows".
apart() {
	local how=$1 subject=$2 cases=$3 family case
	shift 3
	for family in 4 6; do
		for case in $cases; do
			cost_up 64 8 "$@"
			[ "$subject" != nlb-mine ] || cost_converged
			insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
			"$how" "$subject" 64 8 "$family" "$case"
			rmmod empty_hook
			cost_down
		done
	done
}

# Everything about nlb on a host that owns nothing.
not_mine() {
	local rules vips
	for vips in 1 8 64; do
		for rules in 1 8 64; do
			[ "$vips" != 8 ] || [ "$rules" = 64 ] || continue
			cost_up "$rules" "$vips" --stopped
			rows nlb-not-mine "$rules" "$vips" 4 udp tcp-data
			cost_down
		done
	done
	cost_up 64 8 --stopped
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
	# shellcheck disable=SC2086
	rows nlb-not-mine 64 8 4 $CASES $TRACKED arp-request heartbeat-other
	# shellcheck disable=SC2086
	rows nlb-not-mine 64 8 6 $CASES $TRACKED
	rows nlb-foreign 64 8 4 foreign
	rows nlb-foreign 64 8 6 foreign
	rmmod empty_hook
	COST_MASK=0
	rows nlb-not-mine-hot 64 8 4 udp tcp-data
	COST_MASK=fffff
	fresh_rows nlb-not-mine 64 8 4 udp tcp-data
	cost_down
	apart rows nlb-not-mine "$FRAGMENTS" --stopped
}

# On a host that owns everything; a hook behind nlb's drops what it accepts.
mine() {
	cost_up 64 8
	cost_converged
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
	# shellcheck disable=SC2086
	rows nlb-mine 64 8 4 $CASES arp-request
	# shellcheck disable=SC2086
	rows nlb-mine 64 8 6 $CASES
	rmmod empty_hook
	cost_down
	apart fresh_rows nlb-mine "$TRACKED"
	apart rows nlb-mine "$FRAGMENTS"
}

# Buckets that were handed over, with and without a connection. The peers' rules
# have loaded connection tracking, which is asked as well where it is there.
moved() {
	nft flush ruleset
	modprobe -r xt_cluster nf_conntrack
	moved_device
	row nlb-moved-miss tcp-data 4 1 1 "$COST_BURST" "$(cost_of moved0 rx "$MOVED_MISS")"
	modprobe nf_conntrack
	row nlb-moved-miss-conntrack tcp-data 4 1 1 "$COST_BURST" "$(cost_of moved0 rx "$MOVED_MISS")"
	insmod /nlb/empty_hook.ko device=moved0 first=0 backstop=1
	row nlb-moved-hit tcp-data 4 1 1 "$COST_BURST" "$(cost_of moved0 rx "$MOVED_HIT")"
	rmmod empty_hook
}

# in_nft RULE…: a chain at the interface's ingress.
in_nft() {
	local rule
	nft "add table netdev t; add chain netdev t in { type filter hook ingress device $COST_DEVICE priority 0; }"
	for rule in "$@"; do
		nft "add rule netdev t in $rule"
	done
}

peers() {
	in_nft drop
	each nft-drop
	nft delete table netdev t

	# The recipe: a share of the clients, and for those the MAC and packet type that
	# a set-up with a shared MAC needs. The seed makes "drop" and "accept" pure.
	local recipe="ip daddr $COST_VIP ether daddr 03:bf:0a:63:00:0a jhash ip saddr mod 1 seed 0xdeadbeef"
	in_nft "$recipe != 0 meta pkttype set host accept" "ip daddr $COST_VIP drop"
	each nft-jhash-drop
	nft delete table netdev t
	in_nft "$recipe == 0 meta pkttype set host accept" "ip daddr $COST_VIP drop"
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
	each nft-jhash-accept
	rmmod empty_hook
	nft delete table netdev t

	# As Pacemaker's IPaddr2 has done since 2026: a table of its own in the
	# IP stack, the VIP dropped unless the client's share is this clone's.
	nft "add table inet ipaddr2; add chain inet ipaddr2 in { type filter hook prerouting priority -300; }"
	nft "add rule inet ipaddr2 in ip daddr $COST_VIP jhash ip saddr mod 1 seed 0xdeadbeef offset 1 != 1 meta pkttype set host accept"
	nft "add rule inet ipaddr2 in ip daddr $COST_VIP drop"
	each ipaddr2
	nft delete table inet ipaddr2

	iptables -t raw -A PREROUTING -d "$COST_VIP" -j DROP
	each iptables-drop
	iptables -t raw -F
	# Of two nodes the second: the first owns what the hash says, and a mark that
	# nobody sets decides, so that each packet is looked at whole and dropped.
	iptables -t mangle -A PREROUTING -i "$COST_DEVICE" -d "$COST_VIP" -m cluster \
		--cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef -j MARK --set-mark 0
	iptables -t mangle -A PREROUTING -i "$COST_DEVICE" -d "$COST_VIP" -m mark ! --mark 0xffff -j DROP
	each xt_cluster
	iptables -t mangle -F
}

# Through a pair of virtual cables, where XDP can be had: the sender is in it.
cables() {
	ip link add xa type veth peer name xb
	ip link set xa address "02:00:00:00:99:0a" up
	ip link set xb up
	COST_BURST=1
	COST_PACKETS=800
	local line
	line=$(frame udp 4)
	on_cables() {
		row "$1" udp 4 1 1 1 "$(cost_of xa tx "$line")"
	}
	insmod /nlb/empty_hook.ko device=xb
	on_cables cable-floor-drop
	rmmod empty_hook
	nft "add table netdev t; add chain netdev t in { type filter hook ingress device xb priority 0; }
		add rule netdev t in drop"
	on_cables cable-nft-drop
	nft delete table netdev t
	ip link set dev xb xdpdrv object /nlb/bench/xdp.o section xdp
	on_cables cable-xdp
	ip link set dev xb xdpdrv off
	ip addr add 10.99.0.3/32 dev xb
	nlbadm up xb --cluster cable --host-id 1 --no-key --vip "$COST_VIP" --affinity none --stopped
	on_cables cable-nlb
	nlbadm down xb
	ip link del xa
	COST_BURST=32
	COST_PACKETS=1600
}

# Heartbeats of authenticated hosts, by the size of the cluster.
heartbeats() {
	local size
	heartbeat_device
	for size in 3 8 32 64; do
		heartbeat_cost "$size" >/dev/null
		field "heartbeat$size" '"row heartbeat \(.hosts) \(.bytes) \(.blocks) \(.ns) \(.floor)"'
	done
}

sysctl -q net.ipv4.conf.all.rp_filter=0
cost_device
sysctl -q "net.ipv4.conf.$COST_DEVICE.rp_filter=0"
empty
peers
load_module
not_mine
mine
moved
cables
heartbeats
