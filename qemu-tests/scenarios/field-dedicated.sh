# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a host whose address changes, and whose old one another station gets, takes nobody off the net
# clock: counted
# timeout: 300
#
# A lease ends and another host gets the address (keepalived issue 183). What a host asks in
# the name of the old one binds that to its own MAC in all caches of the segment.

cluster 2 --vip "$VIP6"

# dedicated N: the dedicated IP of host N as it says, and as the other one knows it.
dedicated() {
	local other=$((3 - $1))
	adm "h$1" -j show eth0 | jq -r '.[0].dedicated_ip // "none"'
	adm "h$other" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $1) | .dedicated_ip // \"none\""
}
dedicated_is() {
	[ "$(dedicated "$1" | tr '\n' ' ')" = "$2 $2 " ]
}
# connects: host 2 opens a connection from the VIP to the client, which it has to ask for.
connects() {
	ip -n h2 neigh flush dev eth0
	on h2 ping -q -c 1 -W 1 -I "$VIP" "$CLIENT" >/run/test/ping.log 2>&1 || :
}
# in_name ADDRESS: how many ARP messages of host 2 name this sender.
in_name() {
	tcpdump -n -r /run/test/said.pcap "arp and ether src $(host_mac 2) and arp[14:4] = $1" 2>/run/test/tcpdump.err | wc -l
}

check "at first: its own" dedicated_is 2 10.0.0.2
ip -n h2 addr add 10.0.0.22/16 dev eth0
ip -n h2 addr del 10.0.0.2/16 dev eth0
ip -n h2 addr replace 10.0.0.22/16 dev eth0
ip -n h2 route replace "$SOURCES" via "$CLIENT"
check "another address: it follows, and the other host knows" wait_until 5 dedicated_is 2 10.0.0.22

# A stranger gets the old one.
add_netns x
plug x eth0 px 02:00:00:00:00:77
ip -n x addr add 10.0.0.2/16 dev eth0
ip -n c neigh flush all
on c ping -q -c 1 -W 2 10.0.0.2 >/run/test/ping.log
capture said sw br0 arp
connects
pause 65
capture_end said
same "messages of host 2 in the name of the old address" 0 "$(in_name 0x0a000002)"
check "and in the name of the new one" [ "$(in_name 0x0a000016)" -gt 0 ]
same "the old address is the stranger's" 02:00:00:00:00:77 "$(ip -n c -j neigh show 10.0.0.2 dev eth0 | jq -r '.[0].lladdr')"

# Without any address it asks in nobody's name.
ip -n h2 addr flush dev eth0 scope global
check "no address: none" wait_until 5 dedicated_is 2 none
capture said sw br0 arp
ip -n h2 route replace "$CLIENT" dev eth0
connects
pause 5
capture_end said
same "messages of host 2 in the name of the address before" 0 "$(in_name 0x0a000016)"
ip -n h2 addr add 10.0.0.22/16 dev eth0
check "an address again: it is the dedicated IP" wait_until 5 dedicated_is 2 10.0.0.22

# One that was given explicitly does not follow, and is used while the interface has it.
leave 2
join 2 --vip "$VIP6" --dedicated 10.0.0.23
check "given, and not there: none" wait_until 10 dedicated_is 2 none
ip -n h2 addr add 10.0.0.23/16 dev eth0
check "given, and there" wait_until 5 dedicated_is 2 10.0.0.23
check "the cluster is whole" wait_agree 20 1 2
