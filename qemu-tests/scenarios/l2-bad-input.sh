# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: interfaces, modes and virtual MACs that cannot be are refused by name, or count as cut
# timeout: 300

hosts 1
load_module
make_key
ip -n h1 link add name dummy0 type dummy
ip -n h1 link set dummy0 up
ip -n h1 link add link eth0 name mv0 type macvlan mode bridge
ip -n h1 link set mv0 up
ip -n h1 link add name br9 type bridge
ip -n h1 link add name low type veth peer name lowpeer
ip -n h1 link set low mtu 1279 up
ip -n h1 link add name port type veth peer name portpeer
ip -n h1 link set port master br9 up
ip -n h1 link add name quiet type veth peer name quietpeer
ip -n h1 link set quiet arp off up
ip -n h1 link add name nogroup type veth peer name nogrouppeer
ip -n h1 link set nogroup multicast off up
ip -n h1 link set nogrouppeer up
picture() {
	adm h1 -j show
	ip -n h1 -br addr
	ip -n h1 maddr
}
picture=$(picture)

# refused TEXT PATTERN IFACE OPTION…
refused() {
	local text=$1 pattern=$2 code=0
	shift 2
	adm h1 up "$1" --cluster t --host-id 1 --vip "$VIP" --key-file "$KEY_FILE" "${@:2}" \
		>/run/test/out 2>&1 || code=$?
	note "$text: $(tail -n 1 /run/test/out)"
	check "$text: refused" [ "$code" = 1 ]
	check "$text: the message says /$pattern/" grep -qiE -- "$pattern" /run/test/out
	same "$text: nothing changed" "$picture" "$(picture)"
}

refused "unicast mode on a macvlan" 'passthru' mv0 --mode unicast
refused "an interface without ARP" 'ARP' quiet
refused "a dummy, which has no ARP" 'ARP' dummy0
refused "the loopback interface" 'loopback' lo
refused "an interface without multicast" 'no multicast' nogroup
refused "an interface without multicast, unicast mode" 'no multicast' nogroup --mode unicast
refused "a port of a bridge" 'port of a bridge' port
refused "a small MTU" 'MTU of 1280' low
refused "the NIC's own MAC" "interface's own" eth0 --mode unicast --virtual-mac "$(host_mac 1)"
refused "a station's MAC in multicast mode" 'group address' eth0 --virtual-mac 02:bf:0a:00:00:0a
refused "an IP multicast MAC in multicast mode" 'none of IP multicast' eth0 --virtual-mac 01:00:5e:7f:00:0a
refused "a group's MAC in unicast mode" 'single station' eth0 --mode unicast --virtual-mac 03:bf:0a:00:00:0a
refused "another group's MAC in IGMP mode" '01:00:5e' eth0 --mode igmp --virtual-mac 03:bf:0a:00:00:0a

adm h1 up eth0 --cluster t --host-id 1 --vip 172.16.0.1 --key-file "$KEY_FILE" 2>/run/test/out
check "a VIP outside every subnet is warned of" grep -q 'in no subnet' /run/test/out
leave 1
same "and can be taken down again" "$picture" "$(picture)"

adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP" --key-file "$KEY_FILE" --virtual-mac 03:bf:aa:bb:cc:dd
wait_agree 20 1
same "a virtual MAC by hand: show" 03:bf:aa:bb:cc:dd "$(adm h1 -j show eth0 | jq -r '.[0].virtual_mac')"
serve 1
on c ping -q -c 1 -W 2 "$VIP" >/run/test/ping.log
same "a virtual MAC by hand: the client's neighbour entry" 03:bf:aa:bb:cc:dd \
	"$(ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr')"
requests 50 hand
same "a virtual MAC by hand: served" 50 "$(field hand .answered)"

# What is up cannot be given another mode; nothing changes.
settings() {
	shown 1 '.[0] | [.mode, .virtual_mac, .vips, .state, .generation] | tojson'
}
before=$(settings) code=0
adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP" --key-file "$KEY_FILE" --mode unicast 2>/run/test/out || code=$?
note "another mode while started: $(tail -n 1 /run/test/out)"
same "another mode while started: exit code" 7 "$code"
check "another mode while started: the message says what to do" grep -q 'is in the cluster t already.*nlbadm down eth0' /run/test/out
same "another mode while started: nothing changed" "$before" "$(settings)"
adm h1 stop eth0
code=0
adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP" --key-file "$KEY_FILE" --mode igmp 2>/run/test/out || code=$?
same "another mode while stopped: exit code" 7 "$code"
adm h1 start eth0
wait_agree 20 1

# What up refuses may come true later: then the host is as good as cut, and says so until it is undone.
# (A card with a macvlan on it cannot be a port.)
ip -n h1 link del mv0
ip -n h1 link add name br8 type bridge
ip -n h1 link set br8 up
reason_is() {
	[ "$(out_reason 1)" = "$1" ]
}
# turns TEXT CHANGE UNDO: link settings of eth0.
turns() {
	# shellcheck disable=SC2086
	ip -n h1 link set eth0 $2
	check "$1: named" wait_until 5 reason_is interface-cut
	check "$1: it owns nothing" wait_until 5 buckets_are 1 1 0
	# shellcheck disable=SC2086
	ip -n h1 link set eth0 $3
	check "$1, undone: serves again" wait_until 20 buckets_are 1 1 4096
	requests 20 undone
	same "$1, undone: served" 20 "$(field undone .answered)"
}
turns "made a port of a bridge" "master br8" nomaster
turns "a smaller MTU" "mtu 1279" "mtu 1500"
turns "ARP off" "arp off" "arp on"
