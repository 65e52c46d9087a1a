# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a station that answers for a VIP unasked, and answers that get lost, are named
# clock: counted
# timeout: 420
#
# A host that has the VIP in its own configuration answers each question for it, unicast,
# so that nobody else hears it (keepalived issue 2330, MetalLB issue 598). And a switch that
# takes the cluster's answers for spoofing drops them (MetalLB issue 889).

cluster 2 --vip "$VIP6"
watch=/run/test/events
on h2 nlbadm -j monitor eth0 >"$watch" &
defer kill "$!"

# said HOST FIELD: what host says of it.
said() {
	adm "h$1" -j show eth0 | jq -c ".[0].$2"
}
# told EVENT: whether host 2 has told of it.
told() {
	grep -q "\"event\":\"$1\"" "$watch"
}
silent() {
	local n
	for n in 1 2; do
		same "$1: host $n sees no other station" null "$(said "$n" conflict)"
		same "$1: host $n is answered" '[]' "$(said "$n" unanswered)"
	done
}

# Two minutes of a healthy cluster: questions, answers, no alarm.
capture asked sw br0 "arp[6:2] = 1 or (icmp6 and ip6[40] = 135)"
pause 125
capture_end asked
silent "healthy"
for n in 1 2; do
	for match in "arp src host 10.0.0.$n and arp dst host $VIP" "icmp6 and ether src $(host_mac "$n") and ip6[48:4] = 0xfd000000"; do
		count=$(tcpdump -n -r /run/test/asked.pcap "$match" 2>/run/test/tcpdump.err | wc -l)
		within "healthy: questions of host $n ($match)" "$count" 2 12
	done
done

# impostor VIP PREFIX: a stranger has it in its configuration, and says nothing by itself.
add_netns x
plug x eth0 px 02:00:00:00:00:77
on x sysctl -q net.ipv4.conf.eth0.arp_notify=0 net.ipv6.conf.eth0.ndisc_notify=0
for vip in "$VIP/16" "$VIP6/64"; do
	ip -n x addr add "$vip" dev eth0 nodad 2>/run/test/out || ip -n x addr add "$vip" dev eth0
	pause 62
	same "impostor of $vip: named" "\"02:00:00:00:00:77\"" "$(said 2 conflict.mac)"
	check "impostor of $vip: told" told conflict
	ip -n x addr del "$vip" dev eth0
	: >"$watch"
done
ip -n x link del eth0

# A switch that takes the answers for spoofing.
adm h2 stop eth0
adm h1 stop eth0
on sw nft 'add table bridge dai; add chain bridge dai forward { type filter hook forward priority 0; }'
on sw nft "add rule bridge dai forward ether type arp arp saddr ip $VIP drop"
on sw nft "add rule bridge dai forward icmpv6 type nd-neighbor-advert drop"
adm h1 start eth0
adm h2 start eth0
wait_agree 30 1 2
pause 10
same "answers dropped: named within ten seconds" "[\"$VIP\",\"$VIP6\"]" "$(said 2 unanswered)"
check "answers dropped: told" told unanswered
check "answers dropped: show says what it is" grep -q 'UNANSWERED.*10.0.0.10' <<<"$(adm h2 show eth0)"
same "answers dropped: host 1, which answers, awaits none" '[]' "$(said 1 unanswered)"
on sw nft delete table bridge dai
pause 62
same "let through again: answered" '[]' "$(said 2 unanswered)"
check "let through again: told" told answered
