# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a host without a VIP, a cable or an interface that is up serves nothing, and comes back
# timeout: 600

cluster 3 --vip "$VIP6"

reason_is() {
	[ "$(out_reason "$1")" = "$2" ]
}

# One VIP is taken off host 1.
ip -n h1 addr del "$VIP/32" dev "$(vip_device 1)"
check "VIP missing: named at once" wait_until 3 reason_is 1 vip-missing
check "VIP missing: the others take over" wait_until 10 buckets_are 2 1 0
requests 100 without
same "VIP missing: everything answered" 100 "$(field without .answered)"
same "VIP missing: nothing by host 1" 0 "$(share without 1)"
adm h1 start eth0
same "start puts it back" "$VIP $VIP6" "$(vips_of 1)"
check "VIP back: serves again" wait_until 10 buckets_about 1365 2 1

# Set down and up: the stack forgets IPv6 addresses of the interface.
ip -n h2 link set eth0 down
check "interface down: the others take over" wait_until 10 buckets_are 1 2 0
ip -n h2 link set eth0 up
# The routes went with it; those are for the host's own network scripts.
ip -n h2 route replace "$SOURCES" via "$CLIENT"
check "interface up again: it serves again" wait_until 20 buckets_about 1365 1 2
same "and has both VIPs" "$VIP $VIP6" "$(vips_of 2)"

# IPv6 is switched off on the interface: the VIP is there, and no packet reaches it.
on h2 sysctl -q net.ipv6.conf.eth0.disable_ipv6=1
check "IPv6 off: named" wait_until 5 reason_is 2 vip-missing
on h2 sysctl -q net.ipv6.conf.eth0.disable_ipv6=0
check "IPv6 on: serves again" wait_until 20 buckets_about 1365 1 2
# The host's own address and its routes are for the network scripts, too.
ip -n h2 addr replace fd00::2/64 dev eth0 nodad
ip -n h2 route replace fd01::/64 via fd00::64

# The device of the VIPs is set down.
ip -n h2 link set "$(vip_device 2)" down
check "device of the VIPs down: named" wait_until 5 reason_is 2 vip-missing
adm h2 start eth0
check "start sets it up" wait_until 20 buckets_about 1365 1 2
# served6 WHAT: host 2 serves IPv6, too.
served6() {
	requests6 60 up6
	same "$1: answered by IPv6" 60 "$(field up6 .answered)"
	check "$1: by host 2, too" [ "$(field up6 '.hosts."2" // 0')" -gt 0 ]
}
served6 "down and up"

# The device of the VIPs comes into a VRF that the interface is not in.
ip -n h2 link add v1 type vrf table 10
ip -n h2 link set v1 up
ip -n h2 link set "$(vip_device 2)" master v1
check "in another VRF: named" wait_until 5 reason_is 2 vip-missing
adm h2 start eth0
check "start takes it out" wait_until 20 buckets_about 1365 1 2
served6 "out of the VRF again"
ip -n h2 link del v1

# Bonds and teams would become devices of its type, with the cluster on them.
for kind in bond team; do
	ip -n h3 link add up0 type "$kind"
	adm h3 up up0 --cluster other --host-id 1 --no-key --vip 10.5.0.10 2>/run/test/out
	second=$(ip -n h3 -j link show type nlb | jq -r '.[1].ifname')
	ip -n h3 link set "$second" down
	check "$kind: it becomes no port" not ip -n h3 link set "$second" master up0
	same "$kind: the cluster is there" 2 "$(adm h3 -j show | jq length)"
	adm h3 down up0
	same "$kind: the device of its VIPs is gone" 1 "$(ip -n h3 -j link show type nlb | jq length)"
	ip -n h3 link del up0
done
check "it cannot be deleted" not ip -n h2 link del "$(vip_device 2)"
check "nor moved" not ip -n h2 link set "$(vip_device 2)" netns c

# The cable.
cut_cable 3
check "cable out: named" wait_until 5 reason_is 3 interface-cut
check "cable out: the others take over" wait_until 10 buckets_are 1 3 0
plug_cable 3
check "cable in: serves again" wait_until 20 buckets_about 1365 1 3

# Another name, another MTU, another MAC: it serves on.
ip -n h3 link set eth0 name lan0
same "after a rename: show" lan0 "$(adm h3 -j show | jq -r '.[0].interface')"
ip -n h3 link set lan0 name eth0
ip -n h3 link set eth0 mtu 2000
ip -n h3 link set eth0 mtu 1500
ip -n h3 link set eth0 address 02:00:00:00:03:03
ip -n c neigh flush all
requests 300 changed
same "after changes of name, MTU and MAC: answered" 300 "$(field changed .answered)"
same "after changes of name, MTU and MAC: by all" 3 "$(field changed '.hosts | length')"
on h1 ping -q -c 1 -W 2 10.0.0.3 >/run/test/ping.log
check "its dedicated IP is reached at the new MAC" [ $? = 0 ]

# Into another namespace: the cluster ends there, and can be made again.
add_netns other
ip -n h3 link set eth0 netns other
check "moved away: the others take over" wait_until 10 agree 1 2
same "moved away: no cluster is left" 0 "$(adm h3 -j show | jq length)"
same "moved away: none is made elsewhere" 0 "$(adm other -j show | jq length)"
ip -n other link set eth0 netns h3
ip -n h3 link set eth0 up
ip -n h3 addr replace 10.0.0.3/16 dev eth0
ip -n h3 route replace "$SOURCES" via "$CLIENT"
join 3 --vip "$VIP6"
check "moved back: a member again" wait_agree 20 1 2 3

# The VIPs go with the cluster.
# Not by a pipe: grep would leave at its match, and ip, which writes each address by itself, die of that.
check "the IPv6 VIP is never a source by itself" grep -q "inet6 $VIP6/128.*deprecated" <<<"$(ip -n h1 addr show)"
leave 1
same "after down no VIP is left" "" "$(vips_of 1)"
same "nor their device" "" "$(vip_device 1)"
