# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: strangers that claim a VIP are named, and VIP packets on other interfaces dropped
# timeout: 420

cluster 2 --vip "$VIP6"
background h1 events nlbadm -j monitor eth0
wait_until 10 test -s /run/test/events.pid

conflict() {
	adm h1 -j show eth0 | jq -r '.[0].conflict | if . then "\(.vip) \(.mac)" else "none" end'
}
conflict_is() {
	[ "$(conflict)" = "$1" ]
}
told() {
	jq -s '[.[] | select(.event == "conflict")] | length' /run/test/events.log
}
told_is() {
	[ "$(told)" = "$1" ]
}
same "at first there is no conflict" none "$(conflict)"

# A station that was given the VIP by hand and says so.
add_netns x
plug x eth0 px 02:00:00:00:00:77
ip -n x addr add "$VIP/16" dev eth0
on x arping -c 1 -w 5 -U -I eth0 "$VIP" >/run/test/arping.log || :
check "a stranger's gratuitous ARP: in show" wait_until 5 conflict_is "$VIP 02:00:00:00:00:77"
check "a stranger's gratuitous ARP: an event" wait_until 5 told_is 1
seen_before=$(counter h1 arp-conflict)
on x arping -c 3 -w 5 -A -I eth0 "$VIP" >/run/test/arping.log || :
check "repeated claims are counted" [ "$(counter h1 arp-conflict)" -gt "$seen_before" ]
same "repeated claims are told once" 1 "$(told)"

# The same for IPv6: an advertisement with the stranger's own MAC.
on x sysctl -q net.ipv6.conf.eth0.ndisc_notify=1
ip -n x addr add "$VIP6/64" dev eth0 nodad
ip -n x link set eth0 address 02:00:00:00:00:78
check "a stranger's neighbour advertisement: in show" wait_until 10 conflict_is "$VIP6 02:00:00:00:00:78"
del_netns x

# Another cluster with the same VIP: its virtual MAC is the same, ARP shows nothing.
add_netns h3
plug h3 eth0 p3 "$(host_mac 3)"
ip -n h3 addr add 10.0.0.3/16 dev eth0
adm h3 up eth0 --cluster other --host-id 3 --vip "$VIP" --key-file "$KEY_FILE"
check "another cluster with this VIP: in show" wait_until 10 conflict_is "$VIP $(host_mac 3)"
leave 3

# A second card on the segment: packets for the VIP that arrive there.
plug h1 eth1 p1b 02:00:00:00:01:01
ip -n h1 addr add 10.0.1.1/16 dev eth1
ip -n c neigh replace "$VIP" lladdr 02:00:00:00:01:01 dev eth0 nud permanent
ip -n c -6 neigh replace "$VIP6" lladdr 02:00:00:00:01:01 dev eth0 nud permanent
code=0
on c curl --silent --max-time 2 -o /run/test/page "http://$VIP/" || code=$?
same "a VIP packet on another interface: not served (timeout)" 28 "$code"
on c curl --silent --max-time 2 -o /run/test/page "http://[$VIP6]/" || :
check "VIP packets on another interface are counted" [ "$(counter h1 dropped-other-interface)" -gt 1 ]
on c ping -q -c 1 -W 2 10.0.1.1 >/run/test/ping.log
check "other packets pass that interface" [ $? = 0 ]
leave 1
join 1 --vip "$VIP6" --allow-other-interfaces
wait_agree 20 1 2
check "allowed: served there" on c curl --silent --max-time 3 -o /run/test/page "http://$VIP/"
ip -n c neigh del "$VIP" dev eth0
ip -n c -6 neigh del "$VIP6" dev eth0

# A frame with the virtual MAC as its source leaves no host.
on h2 nping -c 1 --send-eth -e eth0 --source-mac "$VIRTUAL_MAC" --dest-mac 02:00:00:00:00:64 \
	--udp -p 9 "$CLIENT" >/run/test/nping.log 2>&1 || :
check "a frame with the virtual MAC as source is dropped and counted" \
	[ "$(counter h2 dropped-virtual-source)" -gt 0 ]
bridge -n sw -j fdb show br br0 >/run/test/fdb.json
same "the switch has not learned the virtual MAC" 0 \
	"$(jq "[.[] | select(.mac == \"$VIRTUAL_MAC\")] | length" /run/test/fdb.json)"
