# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: IGMP mode keeps its groups when an interface loses IPv6 for its MTU, or goes down, and comes back
# timeout: 120

hosts 1
load_module

# groups FAMILY: those that the interface is a member of, but for those that
# come with each IPv6 address.
groups() {
	ip -n h1 -j maddr show dev eth0 |
		jq -r --arg family "$1" '.[].maddr[]? | select(.family == $family) | .address' |
		grep -v '^ff02::1:ff' | sort
}
before4=$(groups inet)
before6=$(groups inet6)
join 1 --vip "$VIP6" --mode igmp
GROUP4=$(comm -13 <(echo "$before4") <(groups inet))
GROUP6=$(comm -13 <(echo "$before6") <(groups inet6))
check "the cluster joins a group of each family: $GROUP4, $GROUP6" [ "${GROUP4:+4}${GROUP6:+6}" = 46 ]

# memberships GROUP: how often the interface is a member of it.
memberships() {
	ip -n h1 -j maddr show dev eth0 |
		jq --arg group "$1" '[.[].maddr[]? | select(.address == $group) | .users // 1] | add // 0'
}
joined() {
	[ "$(memberships "$GROUP4") $(memberships "$GROUP6")" = "1 1" ]
}
lost6() {
	[ "$(memberships "$GROUP6")" = 0 ]
}

check "joined at first" wait_until 10 joined
for round in 1 2; do
	ip -n h1 link set eth0 mtu 1200
	check "round $round: without IPv6 there is no group" wait_until 10 lost6
	ip -n h1 link set eth0 mtu 1500
	check "round $round: joined again with IPv6" wait_until 10 joined
	ip -n h1 link set eth0 down
	ip -n h1 link set eth0 up
	check "round $round: joined after down and up" wait_until 10 joined
done
on h1 sysctl -q net.ipv6.conf.eth0.disable_ipv6=1
on h1 sysctl -q net.ipv6.conf.eth0.disable_ipv6=0
check "joined after IPv6 was off" wait_until 10 joined

# What was lost is not given back a second time, nor joined without a cluster.
ip -n h1 link set eth0 mtu 1200
leave 1
ip -n h1 link set eth0 mtu 1500
none() {
	[ "$(memberships "$GROUP4") $(memberships "$GROUP6")" = "0 0" ]
}
check "left with the cluster" wait_until 10 none
