# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each form of ARP question is answered once, and what is no question about a VIP is left alone
#
# Each question is made as the named system makes it and has a station of its
# own, so that its answers can be told from others on the wire.

hosts 3
load_module
# Hosts that do look for duplicates, unlike those of other scenarios.
for i in 1 2 3; do
	on "h$i" sysctl -q net.ipv6.conf.all.accept_dad=1 net.ipv6.conf.eth0.accept_dad=1
done

ZERO=00:00:00:00:00:00
ALL=ff:ff:ff:ff:ff:ff
OTHER=10.0.3.3
N=0
# question TO-MAC TARGET-MAC SENDER TARGET [SENDER-MAC]: by a new station; its number is N.
question() {
	N=$((N + 1))
	STATION=02:00:00:00:02:$(printf '%02x' "$N")
	on c nping --arp --arp-type ARP-request --send-eth -e eth0 -c 1 --delay 1ms \
		--source-mac "$STATION" --dest-mac "$1" --arp-sender-mac "${5:-$STATION}" --arp-sender-ip "$3" \
		--arp-target-mac "$2" --arp-target-ip "$4" "$4" >/run/test/nping.log 2>&1
}
declare -A WANT=() NAME=()
# asks NAME ANSWERS ARG…: a question as above that gets so many answers.
asks() {
	NAME[$((N + 1))]=$1
	WANT[$((N + 1))]=$2
	question "${@:3}"
}
own() {
	echo "10.0.2.$((N + 1))"
}
# ask MODE ANSWERS: every form.
ask() {
	local one=$2 mode=$1
	asks "$mode: Linux, BSD, Windows, IOS: broadcast, target MAC 0" "$one" "$ALL" "$ZERO" "$(own)" "$VIP"
	asks "$mode: broadcast, target MAC all ones" "$one" "$ALL" "$ALL" "$(own)" "$VIP"
	asks "$mode: Linux: unicast probe, target MAC as known" "$one" "$VIRTUAL" "$VIRTUAL" "$(own)" "$VIP"
	asks "$mode: Windows, BSD: unicast probe, target MAC 0" "$one" "$VIRTUAL" "$ZERO" "$(own)" "$VIP"
	asks "$mode: RFC 5227 probe" "$one" "$ALL" "$ZERO" 0.0.0.0 "$VIP"
	asks "$mode: from an address of another network" "$one" "$ALL" "$ZERO" 203.0.113.$((N + 1)) "$VIP"
	asks "$mode: proxy question, for another address" 0 "$ALL" "$ZERO" "$(own)" "$OTHER"
	asks "$mode: proxy question, to the virtual MAC" 0 "$VIRTUAL" "$ZERO" "$(own)" "$OTHER"
	asks "$mode: announcement of a station's own address" 0 "$ALL" "$ZERO" "$(own)" "$(own)"
	asks "$mode: RFC 5227 probe for another address" 0 "$ALL" "$ZERO" 0.0.0.0 "$OTHER"
	asks "$mode: with the virtual MAC as its sender's" 0 "$ALL" "$ZERO" "$(own)" "$VIP" "$VIRTUAL"
	asks "$mode: with a group's MAC as its sender's" 0 "$ALL" "$ZERO" "$(own)" "$VIP" 01:00:5e:00:00:09
}
declare -A mac=([unicast]=02:bf:0a:00:00:0a [multicast]=03:bf:0a:00:00:0a [igmp]=01:00:5e:7f:00:0a)
# check_answers FIRST LAST MAC: what the stations of these numbers got, on the wire of all.
check_answers() {
	local n station got
	for ((n = $1; n <= $2; n++)); do
		station=$(printf '02:00:00:00:02:%02x' "$n")
		got=$(tcpdump -e -n -r /run/test/questions.pcap "arp[6:2] = 2 and ether dst $station" 2>/run/test/tcpdump.err)
		same "${NAME[$n]}: answers" "${WANT[$n]}" "$(grep -c "$VIP is-at $3" <<<"$got" || :)"
		same "${NAME[$n]}: answers of any kind" "${WANT[$n]}" "$(grep -c . <<<"$got" || :)"
	done
}
# looked: host 2 has looked for duplicates of the IPv6 VIP, and is done.
looked() {
	ip -n h2 -j -6 addr show dev eth0 | jq -e --arg vip "$VIP6" '[.[].addr_info[] |
		select(.local == $vip and (.tentative | not))] | length == 1' >/run/test/out
}
no_duplicate() {
	ip -n h2 -j -6 addr show dev eth0 | jq -e '[.[].addr_info[] | select(.dadfailed)] | length == 0' >/run/test/out
}

for mode in unicast multicast igmp; do
	VIRTUAL=${mac[$mode]}
	for i in 1 2 3; do
		join "$i" --mode "$mode" --vip "$VIP6"
	done
	wait_agree 30 1 2 3
	first=$((N + 1))
	capture questions sw br0 arp
	ask "$mode" 1
	on h3 arping -D -c 2 -w 3 -I eth0 "$VIP" >/run/test/arping.log || :
	capture_end questions
	check_answers "$first" "$N" "$VIRTUAL"
	same "$mode: a host's own question whether the VIP is free stays inside" 0 \
		"$(tcpdump -n -r /run/test/questions.pcap "ether src $(host_mac 3) and arp[14:4] = 0" 2>/run/test/tcpdump.err | wc -l)"

	# The VIP put on a host as people do, who forget nodad: the others say nothing against it.
	capture dad sw br0 icmp6
	ip -n h2 addr add "$VIP6/128" dev eth0
	check "$mode: a host that looks for duplicates of the VIP is done" wait_until 20 looked
	check "$mode: it has found none" no_duplicate
	ip -n h2 addr del "$VIP6/128" dev eth0
	capture_end dad
	check "$mode: and no claim of it binds the VIP to a MAC of its own" \
		[ "$(field dad ".bindings.\"$VIP6\" // [] | index(\"$(host_mac 2)\")")" = null ]
	for i in 1 2 3; do
		leave "$i"
	done
done

# All hosts are to answer: so do all.
VIRTUAL=${mac[multicast]}
for i in 1 2 3; do
	join "$i" --responder all
done
wait_agree 30 1 2 3
first=$((N + 1))
capture questions sw br0 arp
asks "all answer: broadcast" 3 "$ALL" "$ZERO" "$(own)" "$VIP"
asks "all answer: proxy question" 0 "$ALL" "$ZERO" "$(own)" "$OTHER"
capture_end questions
check_answers "$first" "$N" "$VIRTUAL"

# One that does not serve gives none: whoever hears its answers would take it for a host that serves.
adm h1 stop eth0
adm h2 stop eth0
check "all answer: host 3 is alone" wait_until 10 members_are h3 eth0 3
first=$((N + 1))
capture stopped sw br0 arp
asks "two are stopped: one answers" 1 "$ALL" "$ZERO" "$(own)" "$VIP"
capture_end stopped
pause 10
serves_alone() {
	[ "$(shown 3 '.[0] | [.state, .out_reason, .conflict] | tojson')" = '["converged",null,null]' ]
}
check "two are stopped: the other one serves on" serves_alone
adm h3 stop eth0
adm h3 start eth0
check "one that starts beside stopped ones serves" wait_until 10 serves_alone
pause 5
check "and goes on" serves_alone
