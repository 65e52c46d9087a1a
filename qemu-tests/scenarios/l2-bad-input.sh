# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: interfaces, modes and virtual MACs that cannot be are refused by name
# timeout: 180

hosts 1
load_module
make_key
ip -n h1 link add name dummy0 type dummy
ip -n h1 link set dummy0 up
ip -n h1 link add link eth0 name mv0 type macvlan mode bridge
ip -n h1 link set mv0 up
ip -n h1 link add name br9 type bridge
ip -n h1 link add name low type veth peer name lowpeer
ip -n h1 link set low mtu 1400 up
ip -n h1 link add name port type veth peer name portpeer
ip -n h1 link set port master br9 up
ip -n h1 link add name quiet type veth peer name quietpeer
ip -n h1 link set quiet arp off up
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
refused "a port of a bridge" 'port of a bridge' port
refused "a small MTU" 'MTU of 1500' low
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
