# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a VIP that a stranger claims is defended: clients are served again, and nobody storms
# clock: counted
# timeout: 420

cluster 2 --vip "$VIP6"
STRANGER=02:00:00:00:00:77
add_netns x
plug x eth0 px "$STRANGER"
on x sysctl -q net.ipv6.conf.eth0.ndisc_notify=1 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0
# It has the VIP, and speaks only when it is told to: it answers no question.
on x sysctl -q net.ipv4.conf.all.arp_ignore=8
ip -n x addr add "$VIP/16" dev eth0

defended() {
	counter "h$1" vip-defended
}
defended_is() {
	[ "$(defended "$1")" = "$2" ]
}
known() {
	ip -n c -j neigh show "$1" dev eth0 | jq -r '.[0].lladdr // "none"'
}
known_is() {
	[ "$(known "$1")" = "$2" ]
}
# Whatever was said before is forgotten on all sides: more than a minute of peace.
peace() {
	pause 61
	BEFORE=$(defended 1)
	same "$1: before it nothing is said" "$BEFORE" "$(defended 1)"
	requests 20 peace
	same "$1: before it clients are served" 20 "$(field peace .answered)"
}
# claim [OPTION…]: one gratuitous ARP of the stranger.
claim() {
	on x arping -c 1 -w 2 -I eth0 "$@" "$VIP" >/run/test/arping.log || :
}
# drop_answers: announcements of the cluster get lost; pass_answers.
drop_answers() {
	on sw nft 'add table bridge lose; add chain bridge lose forward { type filter hook forward priority 0; }
		add rule bridge lose forward arp saddr ether '"$VIRTUAL_MAC"' drop
		add rule bridge lose forward icmpv6 type nd-neighbor-advert ether saddr != 02:00:00:00:00:76-02:00:00:00:00:79 drop'
}
pass_answers() {
	on sw nft delete table bridge lose
}

for form in -U -A; do
	peace "gratuitous ARP $form"
	claim "$form"
	began=$(now_ms)
	check "gratuitous ARP $form: the client has the virtual MAC" wait_until 3 known_is "$VIP" "$VIRTUAL_MAC"
	note "after $(($(now_ms) - began)) ms"
	requests 20 after
	same "gratuitous ARP $form: the client is served" 20 "$(field after .answered)"
	check "gratuitous ARP $form: contradicted twice" wait_until 3 defended_is 1 $((BEFORE + 2))
	pause 5
	same "gratuitous ARP $form: and no more" $((BEFORE + 2)) "$(defended 1)"
done
same "only the default host contradicts" 0 "$(defended 2)"

# The first answer does not get through, or is not believed.
peace "a lost answer"
drop_answers
claim -U
wait_until 2 defended_is 1 $((BEFORE + 1))
same "a lost answer: the client believes the stranger" "$STRANGER" "$(known "$VIP")"
pass_answers
began=$(now_ms)
check "a lost answer: the client has the virtual MAC" wait_until 3 known_is "$VIP" "$VIRTUAL_MAC"
within "a lost answer: ms until then" $(($(now_ms) - began)) 0 3000
requests 20 lost
same "a lost answer: the client is served" 20 "$(field lost .answered)"

# IPv6: an advertisement of the stranger's.
peace "an advertisement"
on c ping -6 -q -c 1 -W 2 "$VIP6" >/run/test/ping.log
drop_answers
# A change of its MAC makes it say so for each of its addresses.
ip -n x addr add "$VIP6/64" dev eth0 nodad
ip -n x link set eth0 address 02:00:00:00:00:78
check "an advertisement: the client believes the stranger" wait_until 2 known_is "$VIP6" 02:00:00:00:00:78
pass_answers
check "an advertisement: the client has the virtual MAC" wait_until 3 known_is "$VIP6" "$VIRTUAL_MAC"
check "an advertisement: contradicted" [ "$(defended 1)" -gt "$BEFORE" ]
ip -n x addr del "$VIP6/64" dev eth0

# One that never stops talking: the first claims are answered soon, then it is one answer in ten seconds.
peace "endless claims"
on x arping -c 60 -w 70 -U -I eth0 "$VIP" >/run/test/arping.log || :
said=$(($(defended 1) - BEFORE))
within "endless claims: answers to a claim each second for a minute" "$said" 8 14
check "endless claims: in the end the client has the virtual MAC" wait_until 12 known_is "$VIP" "$VIRTUAL_MAC"
requests 20 endless
same "endless claims: the client is served" 20 "$(field endless .answered)"
del_netns x

# Two clusters with one VIP and two virtual MACs contradict each other.
peace "two clusters"
add_netns h3
plug h3 eth0 p3 "$(host_mac 3)"
ip -n h3 addr add 10.0.0.3/16 dev eth0
adm h3 up eth0 --cluster other --host-id 3 --mode unicast --vip "$VIP" --key-file "$KEY_FILE"
pause 120
first=$(($(defended 1) - BEFORE))
same "two clusters: the other one names the conflict" "$VIP" \
	"$(adm h3 -j show eth0 | jq -r '.[0].conflict.vip')"
within "two clusters: announcements of this one in two minutes" "$first" 2 25
within "two clusters: announcements of the other one in two minutes" "$(defended 3)" 2 25
before=$(($(defended 1) + $(defended 3)))
pause 60
within "two clusters: announcements of both in the minute after that" \
	$(($(defended 1) + $(defended 3) - before)) 0 14
