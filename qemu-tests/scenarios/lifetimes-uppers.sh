# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: interfaces below each kind of upper device move, and go, beside a cluster
# timeout: 900
# long-timeout: 1500
#
# A notifier of a module that is loaded after nlb runs after nlb's: an upper
# device is taken off a leaving interface when nlb has seen that one go already.
# So each kind is tried with its module loaded after nlb, and before it; the
# latter with all that can happen if LONG=1.
#
#     a eth0 ── x0 ┐
#     a eth1 ── x1 ┼─ p      eth1 moves to o and back
#     o eth0 ── x2 ┘

KINDS="vrf vlan bond team bridge macvlan ipvlan ovs"
MODULES="vrf 8021q bonding team bridge macvlan ipvlan openvswitch"
INNER=10.2.0.2
AFTER="loaded after nlb"

# cable DEV PEER: from a to p.
cable() {
	ip link add "$1" netns a type veth peer name "$2" netns p
	ip -n p link set "$2" up
	ip -n a link set "$1" up
}

# upper KIND: eth1 of a gets an upper device "up1" of this kind.
upper() {
	local type
	case $1 in
	vrf) type="vrf table 7" ;;
	vlan) type="vlan id 5" ;;
	macvlan) type="macvlan mode bridge" ;;
	ipvlan) type="ipvlan mode l2" ;;
	*) type=$1 ;;
	esac
	case $1 in
	vlan | macvlan | ipvlan)
		# shellcheck disable=SC2086
		ip -n a link add up1 link eth1 type $type
		;;
	ovs) on a tt ovs --datapath up1 --port eth1 ;;
	*)
		# shellcheck disable=SC2086
		ip -n a link add up1 type $type
		ip -n a link set eth1 down
		ip -n a link set eth1 master up1
		ip -n a link set eth1 up
		;;
	esac
	ip -n a link set up1 up
}

# move FROM TO: eth1, which is up afterwards.
move() {
	ip -n "$1" link set eth1 netns "$2"
	ip -n "$2" link set eth1 up
	ip -n "$2" addr add "$INNER/24" dev eth1
}

# reached: IP packets reach eth1 where it is, and come back.
reached() {
	on p ping -q -c 1 -W 1 "$INNER" >/run/test/ping.log
}

# hooks NS [DEV]: the hooks of nlb that see what an interface (eth1) receives,
# counted: at its ingress, or at the beginning of the IP stack for what shares its
# frames with a macvlan device. The kernel names the module of each.
hooks() {
	{
		on "$1" nft list hooks netdev device "${2:-eth1}"
		on "$1" nft list hooks ip | sed -n '/hook prerouting/,/}/p'
	} >/run/test/hooks 2>&1
	grep -c '\[nlb\]' /run/test/hooks || :
}

cluster_up() {
	adm "$1" up eth0 --cluster test --host-id 1 --vip "$VIP" --no-key 2>/run/test/out
}

gone() {
	! ip -n p link show "$1" >/run/test/out 2>&1
}

# alone: eth1 of a loses its upper device, if it still has one.
alone() {
	# A datapath's own device is deleted with it alone.
	ip -n a link del up1 2>/run/test/out ||
		on a tt ovs --datapath up1 2>/run/test/out || :
}

# to_and_fro WHAT KIND: eth1 moves to o, where there is no cluster, and back;
# the second time the cluster ends when it is away.
to_and_fro() {
	same "$1: guarded with the cluster" 1 "$(hooks a)"
	upper "$2"
	move a o
	same "$1: moved: hooks that came along" 0 "$(hooks o)"
	check "$1: moved: reached" wait_until 10 reached
	move o a
	alone
	check "$1: moved back: reached" wait_until 10 reached
	same "$1: moved back: guarded again" 1 "$(hooks a)"
	upper "$2"
	move a o
	adm a down eth0
	check "$1: the cluster's end meanwhile: reached" wait_until 10 reached
	cluster_up a
	move o a
	same "$1: a cluster made anew: guarded" 1 "$(hooks a)"
	alone
}

# to_another WHAT KIND: eth1 moves to o, which has a cluster of its own; then
# both clusters end.
to_another() {
	cluster_up o
	upper "$2"
	move a o
	same "$1: moved to a cluster: guarded there" 1 "$(hooks o)"
	adm a down eth0
	same "$1: the first cluster's end: guarded as before" 1 "$(hooks o)"
	check "$1: the first cluster's end: reached" wait_until 10 reached
	adm o down eth0
	same "$1: the second cluster's end: guarded no more" 0 "$(hooks o)"
	check "$1: the second cluster's end: reached" wait_until 10 reached
	move o a
	alone
}

# carries WHAT KIND: the cluster is on the upper device, and then on eth1 below
# it, when eth1 moves.
carries() {
	upper "$2"
	# Not each kind can have one: what it says is not the question here.
	adm a up up1 --cluster upper --host-id 1 --vip 10.2.0.10 --no-key >/run/test/out 2>&1 || :
	move a o
	check "$1: below a cluster: reached" wait_until 10 reached
	move o a
	alone
	same "$1: clusters of a deleted interface" 0 "$(adm a -j show | jq length)"
	adm a up eth1 --cluster lower --host-id 1 --vip 10.2.0.10 --no-key
	upper "$2"
	move a o
	check "$1: with a cluster itself: reached" wait_until 10 reached
	same "$1: with a cluster itself: hooks that came along" 0 "$(hooks o)"
	same "$1: clusters left behind" 0 "$(adm a -j show | jq length)"
	move o a
	alone
}

# forbidden WHAT KIND: a bond is to become another type, and the upper device on
# it forbids that; by then nlb may have been told already that it will.
forbidden() {
	ip -n a link add bond7 type bond mode active-backup
	ip -n a link set bond7 up
	if [ "$2" = vlan ]; then
		ip -n a link add up7 link bond7 type vlan id 7
	else
		ip -n a link add up7 link bond7 type macvlan mode bridge
	fi
	same "$1: guarded with it" 1 "$(hooks a bond7)"
	ip -n a tuntap add dev tun7 mode tun
	check "$1: what is not of Ethernet is refused as its port" not ip -n a link set tun7 master bond7 2>/run/test/out
	same "$1: guarded after that" 1 "$(hooks a bond7)"
	adm a up bond7 --cluster bonded --host-id 1 --vip 10.2.0.10 --no-key 2>/run/test/out
	check "$1: refused with a cluster, too" not ip -n a link set tun7 master bond7 2>/run/test/out
	same "$1: its cluster stands" "bond7 eth0" "$(adm a -j show | jq -r '[.[].interface] | sort | join(" ")')"
	ip -n a link del bond7
	ip -n a link del tun7
	same "$1: its cluster ends with it" eth0 "$(adm a -j show | jq -r '[.[].interface] | join(" ")')"
}

# deleted WHAT KIND: eth1 goes, then its upper device.
deleted() {
	cluster_up a
	upper "$2"
	ip -n a link del eth1
	check "$1: deleted: the other end" wait_until 10 gone x1
	alone
	cable eth1 x1
	ip -n p addr add 10.2.0.1/24 dev x1
	same "$1: deleted and made anew: guarded" 1 "$(hooks a)"
}

# round WHAT
round() {
	local kind what
	for kind in $KINDS; do
		what="$kind, $1"
		add_netns a
		cable eth0 x0
		cable eth1 x1
		ip -n p addr add 10.2.0.1/24 dev x1
		cluster_up a
		to_and_fro "$what" "$kind"
		to_another "$what" "$kind"
		if [ "$1" = "$AFTER" ] || [ -n "${LONG:-}" ]; then
			carries "$what" "$kind"
			deleted "$what" "$kind"
		else
			cluster_up a
		fi
		case $kind in
		vlan | macvlan) forbidden "$what, type of a bond" "$kind" ;;
		esac
		# With a cluster, the interface below its upper device, and all.
		upper "$kind"
		del_netns a
		check "$what: the namespace's end" wait_until 20 gone x0
		check "$what: the interface's end" wait_until 20 gone x1
	done
}

add_netns p
add_netns o
ip link add eth0 netns o type veth peer name x2 netns p
ip -n o link set eth0 up
# What nlb has seen go, no handler after it must bring back.
for module in $MODULES; do
	check "not loaded yet: $module" wait_until 20 without "$module"
done
modprobe tun
load_module
for module in $MODULES; do
	modprobe "$module"
done
round "$AFTER"
unload_module
load_module
round "loaded before nlb"
