# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what network managers do to the interface takes no VIP away and breaks no connection
# clock: counted
# timeout: 420
#
# An update restarts networkd on all hosts in one night, a lease is renewed, somebody brings
# a connection up again: addresses that no file names are taken off the interface. (keepalived
# issues 836, 1385, 2479, 2564; systemd issues 12050, 13555.) Here are the requests that
# such managers send, one after another; the real ones are in field-managers.

cluster 3 --vip "$VIP6"

for n in 1 2 3; do
	same "host $n: addresses of the interface" "10.0.0.$n/16 fd00::$n/64" \
		"$(ip -n "h$n" -j addr show dev eth0 | jq -r '[.[].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"] | sort | join(" ")')"
	same "host $n: VIPs" "$VIP $VIP6" "$(vips_of "$n")"
done

# at_once CMD…: in all hosts, with N for the host's number.
at_once() {
	local n
	for n in 1 2 3; do
		(on "h$n" "${@//N/$n}")
	done
}
# served WHAT: within a second of the interface being usable, both families.
served() {
	pause 1
	requests 30 "served"
	same "$1: answered" 30 "$(field served .answered)"
	requests6 30 "served6"
	same "$1: answered by IPv6" 30 "$(field served6 .answered)"
	same "$1: by all" "3 3" "$(field served '.hosts | length') $(field served6 '.hosts | length')"
}

# networkd, NetworkManager, netplan: what their files do not name goes, the rest comes again.
hold 60 500
at_once ip addr flush dev eth0 scope global
at_once ip addr add 10.0.0.N/16 dev eth0
at_once ip -6 addr add fd00::N/64 dev eth0 nodad
at_once ip route replace "$SOURCES" via "$CLIENT"
at_once ip -6 route replace fd01::/64 via fd00::64
served "all addresses of all hosts taken off"

# A renewal with another address, where the first one of a subnet leaves the others, as systemd sets it.
at_once sysctl -q net.ipv4.conf.eth0.promote_secondaries=1
at_once ip addr add 10.0.9.N/16 dev eth0
at_once ip addr del 10.0.0.N/16 dev eth0
at_once ip route replace "$SOURCES" via "$CLIENT"
served "another lease"
at_once ip addr add 10.0.0.N/16 dev eth0
at_once ip addr del 10.0.9.N/16 dev eth0
at_once ip route replace "$SOURCES" via "$CLIENT"
held_end
none_broken 60

# ifdown and ifup: IPv6 addresses of the interface go with it. All hosts at the same moment.
at_once ip link set eth0 down
at_once ip link set eth0 up
at_once ip -6 addr replace fd00::N/64 dev eth0 nodad
at_once ip route replace "$SOURCES" via "$CLIENT"
at_once ip -6 route replace fd01::/64 via fd00::64
check "down and up on all hosts: members again" wait_agree 20 1 2 3
served "down and up on all hosts"

# A VIP in a host's own configuration answers by itself when the cluster is not there.
leave 3
ip -n h3 addr add "$VIP/24" dev eth0
join 3 --vip "$VIP6" 2>/run/test/warnings
check "up warns of a VIP in the host's own configuration" \
	grep -q "has put the VIP $VIP on eth0: .*ip addr del $VIP/24 dev eth0" /run/test/warnings
check "and the host is a member" wait_agree 20 1 2 3
adm h3 down eth0 2>/run/test/warnings
check "down warns that it stays" grep -q "the VIP $VIP is still an address of eth0" /run/test/warnings
same "and only that stays" "$VIP" "$(vips_of 3)"
ip -n h3 addr del "$VIP/24" dev eth0
adm h2 down eth0 2>/run/test/warnings
same "down warns of nothing else" "" "$(cat /run/test/warnings)"

# An interface that is deleted takes its VIPs with it.
ip -n h1 link del eth0
same "the interface is deleted: no VIP is left" "" "$(vips_of 1)"
same "nor their device" "" "$(vip_device 1)"
