# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a switch that forwards groups by MAC: IGMP mode reaches the hosts and no bystander
# timeout: 420
#
# Linux bridges look groups up by IP address. A switch that does it by MAC is
# made of one without snooping and a table of the ports that reported the group.

hosts 3
add_netns x
plug x eth0 px 02:00:00:00:00:77
ip -n x addr add 10.0.0.77/16 dev eth0
group_mac=01:00:5e:7f:00:0a
group=239.255.0.10
on sw nft -f - <<-END
	table bridge snoop {
		set members {
			type ifname
			flags dynamic
		}
		chain learn {
			type filter hook prerouting priority 0
			# Reports of version 3 go to a group of their own, those of version 2 to the group.
			ip protocol igmp ip daddr { 224.0.0.22, $group } update @members { iifname }
		}
		chain forward {
			type filter hook forward priority 0
			ether daddr $group_mac oifname != @members oifname != "pc" drop
		}
	}
END
members() {
	on sw nft -j list set bridge snoop members |
		jq -r '[.nftables[].set.elem // [] | .[] | if type == "object" then .elem.val else . end] | sort | join(" ")'
}
members_are_ports() {
	[ "$(members)" = "$1" ]
}

capture bystander x eth0 "ip dst $VIP"
capture frames sw br0
load_module
for i in 1 2 3; do
	serve "$i"
	join "$i" --mode igmp
done
wait_converged 3
check "every host has reported the group" wait_until 20 members_are_ports "p1 p2 p3"
requests 300 all
same "answered" 300 "$(field all .answered)"
same "by all hosts" 3 "$(field all '.hosts | length')"

# A query is answered: the switch forgets, asks, and knows again.
on sw nft flush set bridge snoop members
same "the switch has forgotten" "" "$(members)"
ip -n sw addr add 10.0.255.1/16 dev br0
ip -n sw link set br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_interval 100
check "a query is answered by every host" wait_until 60 members_are_ports "p1 p2 p3"
ip -n sw link set br0 type bridge mcast_snooping 0 mcast_querier 0
requests 100 again
same "answered afterwards" 100 "$(field again .answered)"

capture_end bystander
capture_end frames
same "frames for the VIP at the bystander's port" 0 "$(field bystander .frames)"
same "no frame has the group's MAC as its source" false \
	"$(field frames ".sources | index(\"$group_mac\") != null")"
leave 1
check "a host that leaves the cluster leaves the group" \
	not grep -q "$group" <<<"$(ip -n h1 maddr show dev eth0)"
