# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: two hundred namespaces with a cluster each end together, and so does the module
# timeout: 900
#
# The kernel ends namespaces in batches; what a cluster waits for at its end is
# waited for once for all of them. Where instructions are counted (on the stock
# kernel) the time is limited.

COUNT=200
MIXED=12
UNLOADED=40

# make_namespaces NAME COUNT: NAME1, NAME2, …, each with eth0, whose other end
# is in sw.
make_namespaces() {
	local i
	for ((i = 1; i <= $2; i++)); do
		printf 'netns add %s\n' "$1$i"
	done | ip -batch -
	for ((i = 1; i <= $2; i++)); do
		printf 'link add eth0 netns %s type veth peer name p%s netns sw\n' "$1$i" "$i"
	done | ip -batch -
	for ((i = 1; i <= $2; i++)); do
		printf 'link set p%s up\n' "$i"
	done | ip -n sw -batch -
	for ((i = 1; i <= $2; i++)); do
		ip -n "$1$i" link set eth0 up
		defer del_netns "$1$i"
	done
}

# cluster_in NS DEV
cluster_in() {
	adm "$1" up "$2" --cluster test --host-id 1 --vip "$VIP" --mode multicast --no-key 2>/run/test/out
	CLUSTERS=$((CLUSTERS + 1))
}

# end_namespaces NAME COUNT: at once, as far as one process can.
end_namespaces() {
	local i
	for ((i = 1; i <= $2; i++)); do
		printf 'netns del %s\n' "$1$i"
	done | ip -batch -
}

# ends_left: how many interfaces of sw still have their other end in a namespace.
ends_left() {
	ip -n sw -br link show type veth | wc -l
}

no_end_left() {
	[ "$(ends_left)" = 0 ]
}

# limited WHAT FROM_MS LIMIT_MS: it took no longer than that, where a time means something.
limited() {
	local took=$(($(now_ms) - $2))
	note "$1: $took ms"
	[ "${NLB_PATIENCE:-1}" != 1 ] || within "$1: milliseconds" "$took" 0 "$3"
}

CLUSTERS=0
add_netns sw
load_module

# The yardstick: the same without clusters.
make_namespaces e "$COUNT"
from=$(now_ms)
end_namespaces e "$COUNT"
check "$COUNT namespaces without a cluster end" wait_until 60 no_end_left
note "$COUNT namespaces without a cluster: $(($(now_ms) - from)) ms"

make_namespaces n "$COUNT"
for ((i = 1; i <= COUNT; i++)); do
	cluster_in "n$i" eth0
done
same "clusters" "$COUNT" "$CLUSTERS"
from=$(now_ms)
end_namespaces n "$COUNT"
check "$COUNT namespaces with a cluster each end" wait_until 60 no_end_left
limited "$COUNT namespaces with a cluster each" "$from" 3000

# Devices of some kinds are taken down by their drivers before it is said that
# the namespace has ended; they must not wait for the clusters on them.
CLUSTERS=0
make_namespaces m "$MIXED"
for ((i = 1; i <= MIXED; i++)); do
	case $((i % 4)) in
	0)
		ip -n "m$i" link add up0 type bond mode active-backup
		ip -n "m$i" link set eth0 down
		ip -n "m$i" link set eth0 master up0
		;;
	1)
		ip -n "m$i" link add up0 type bridge
		ip -n "m$i" link set eth0 master up0
		;;
	2) ip -n "m$i" link add up0 link eth0 type macvlan mode bridge ;;
	3) ip -n "m$i" link add up0 link eth0 type vlan id 5 ;;
	esac
	ip -n "m$i" link set up0 up
	cluster_in "m$i" up0
	[ $((i % 4)) -lt 2 ] || cluster_in "m$i" eth0
done
from=$(now_ms)
end_namespaces m "$MIXED"
check "$CLUSTERS clusters on bonds, bridges, macvlan, VLAN end" wait_until 60 no_end_left
limited "$CLUSTERS clusters on bonds, bridges, macvlan, VLAN" "$from" 3000

# The module stays as long as there is a cluster; the namespaces stay without it.
make_namespaces u "$UNLOADED"
for ((i = 1; i <= UNLOADED; i++)); do
	cluster_in "u$i" eth0
done
check "the module stays with $UNLOADED clusters" not remove_module
check "they are taken down" all_down
from=$(now_ms)
check "the module goes without clusters" rmmod nlb
limited "the module's end" "$from" 1000
same "interfaces that have stayed" "$UNLOADED" "$(ends_left)"
end_namespaces u "$UNLOADED"
check "their namespaces end" wait_until 60 no_end_left
