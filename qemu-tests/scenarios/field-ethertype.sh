# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: frames of somebody else's with the EtherType of the heartbeats reach whom they are for
# clock: counted
#
# 0x88b5 is an EtherType for local experiments, and any other experiment may use it.

hosts 2
add_netns x
plug x eth0 px 02:00:00:00:00:77
make_key
load_module
for k in 1 2; do
	serve "$k"
	join "$k" --vip "$VIP6"
done
check "both are members" wait_agree 30 1 2

# What passes nlb is seen behind it.
on h1 nft -f - <<-END
	table netdev behind {
		counter others { }
		counter ours { }
		chain ingress {
			type filter hook ingress device eth0 priority 2147483647
			ether type 0x88b5 @ll,112,16 0x6e62 counter name ours
			ether type 0x88b5 @ll,112,16 != 0x6e62 counter name others
		}
	}
END
behind() {
	on h1 nft -j list counter netdev behind "$1" | jq '.nftables[] | select(.counter) | .counter.packets'
}
# send PAYLOAD: a frame of the EtherType to host 1.
send() {
	on x tt raw --dev eth0 --told 88b5 "$(host_mac 1 | tr -d :)02000000007788b5$1"
}
others_are() {
	[ "$(behind others)" = "$1" ]
}
zeros=$(printf '00%.0s' {1..46})
before=$(counter h1 malformed-magic)
send "${zeros}"
send "4e42${zeros}"
send "6e00$(printf 'ab%.0s' {1..1400})"
check "three frames of others pass" wait_until 5 others_are 3
same "they are counted" $((before + 3)) "$(counter h1 malformed-magic)"
send "6e62${zeros}"
pause 1
same "nothing of nlb's own passes, whole or not" 0 "$(behind ours)"
same "three frames of others, still" 3 "$(behind others)"
check "the cluster is as before" agree 1 2
requests 50 after
same "and serves" 50 "$(field after .answered)"
