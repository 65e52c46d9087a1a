# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a snooping switch that forgets a port's groups hears of them again without asking
# clock: counted
# timeout: 300
#
# The switch has no querier. A port that goes down loses its groups; so does one whose
# entries an operator deletes. (KB 838408)

hosts 3
on sw nft -f - <<-END
	table bridge snoop {
		set members4 {
			type ifname
			flags dynamic
		}
		set members6 {
			type ifname
			flags dynamic
		}
		chain learn {
			type filter hook prerouting priority 0
			ip protocol igmp ip daddr { 224.0.0.22, 239.255.0.10 } update @members4 { iifname }
			icmpv6 type mld2-listener-report update @members6 { iifname }
		}
		chain forward {
			type filter hook forward priority 0
			ether daddr 01:00:5e:7f:00:0a oifname != @members4 oifname != "pc" drop
			ether daddr & ff:ff:80:00:00:00 == 33:33:80:00:00:00 oifname != @members6 oifname != "pc" drop
		}
	}
END
members() {
	on sw nft -j list set bridge snoop "members$1" |
		jq -r '[.nftables[].set.elem // [] | .[] | if type == "object" then .elem.val else . end] | map(select(test("^p[0-9]"))) | sort | join(" ")'
}
ports_are() {
	[ "$(members 4)" = "$1" ] && [ "$(members 6)" = "$1" ]
}
forget() {
	on sw nft delete element bridge snoop members4 "{ $1 }"
	on sw nft delete element bridge snoop members6 "{ $1 }"
}
# all_served WHAT: by both protocols.
all_served() {
	requests 90 served
	same "$1: answered" 90 "$(field served .answered)"
	requests6 90 served6
	same "$1: answered by IPv6" 90 "$(field served6 .answered)"
}

load_module
make_key
for k in 1 2 3; do
	serve "$k"
	join "$k" --mode igmp --vip "$VIP6"
done
check "all are members" wait_agree 60 1 2 3
check "all have reported the groups" wait_until 20 ports_are "p1 p2 p3"
all_served "before"

cut_cable 2
forget p2
check "the others go on" wait_agree 60 1 3
plug_cable 2
check "carrier: the groups are reported again" wait_until 5 ports_are "p1 p2 p3"
check "carrier: all are members" wait_agree 60 1 2 3
all_served "carrier"

forget p3
same "deleted: it has no groups" "p1 p2" "$(members 4)"
pause 61
check "deleted: the groups are reported within a minute" ports_are "p1 p2 p3"
all_served "deleted"

leave 1
check "a host that leaves reports them no more" not grep -q 239.255.0.10 <<<"$(ip -n h1 maddr show dev eth0)"
