# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: two NICs on one segment, the default route on the second: no leak, no double answer
# timeout: 420
#
# Every host answers its clients by a second card, on the same switch, whose
# kernel asks for the router in the VIP's name. The switch floods the VIP's
# frames to that card as well.

hosts 3
NIC2() {
	printf '02:00:00:00:01:%02x\n' "$1"
}
for i in 1 2 3; do
	plug "h$i" eth1 "p${i}b" "$(NIC2 "$i")"
	ip -n "h$i" addr add "10.0.1.$i/16" dev eth1
	ip -n "h$i" addr add "fd00::1:$i/64" dev eth1 nodad
	ip -n "h$i" route del "$SOURCES"
	ip -n "h$i" route del fd01::/64
	ip -n "h$i" route add default via "$CLIENT" dev eth1
	ip -n "h$i" -6 route add default via fd00::64 dev eth1
done
load_module
for i in 1 2 3; do
	serve "$i"
done

declare -A mac=(
	[unicast]=02:bf:0a:00:00:0a [multicast]=03:bf:0a:00:00:0a [igmp]=01:00:5e:7f:00:0a
)
# answers COMMAND…: how many answers arping or ndisc6 has got.
answers() {
	"$@" 2>&1 | grep -ciE '([0-9a-f]{2}:){5}[0-9a-f]{2}' || :
}
reached() {
	on c ping -q -c 1 -W 2 10.0.1.2 >/run/test/ping.log
}
# wrong_card N: a client that sends to host N's second card, quicker than anything else for the VIP arrives there.
wrong_card() {
	ip -n c neigh replace "$VIP" lladdr "$(NIC2 "$1")" dev eth0 nud permanent
	on c ping -q -c 100 -i 0.002 -W 1 "$VIP" >/run/test/wrong.log || :
	CODE=0
	on c curl --silent --max-time 1 -o /run/test/page "http://$VIP/" || CODE=$?
	ip -n c neigh del "$VIP" dev eth0
}

for mode in unicast multicast igmp; do
	capture "all-$mode" sw br0 not port 80
	capture "web-$mode" sw pc tcp port 80
	for i in 1 2 3; do
		join "$i" --mode "$mode" --vip "$VIP6"
	done
	wait_converged 3
	# A station that asks is known to whom it asks. So when the client has asked, every host forgets the router, and must
	# ask for it in the name of what it says: the VIP's. (IPv6 never does on a card that has not the address.)
	requests 10 warm
	on c tt connect --to "[$VIP6]:80" --from fd01::/64 --count 10 >/run/test/warm.json
	for i in 1 2 3; do
		ip -n "h$i" neigh flush all
		ip -n "h$i" -6 neigh flush all
	done
	requests 150 "$mode"
	same "$mode: answered" 150 "$(field "$mode" .answered)"
	same "$mode: by all hosts" 3 "$(field "$mode" '.hosts | length')"
	on c tt connect --to "[$VIP6]:80" --from fd01::/64 --count 60 >"/run/test/six.json"
	same "$mode: answered over IPv6" 60 "$(field six .answered)"

	same "$mode: answers to an ARP question" 1 "$(answers on c arping -b -c 1 -w 1 -I eth0 "$VIP")"
	on c ip -6 neigh flush dev eth0
	same "$mode: the client's neighbour entry" "${mac[$mode]}" \
		"$(ip -n c -j neigh show "$VIP" dev eth0 | jq -r '.[0].lladdr')"

	before=$(counter h2 dropped-other-interface)
	wrong_card 2
	same "$mode: a connection to the second card: no answer (timeout)" 28 "$CODE"
	check "$mode: echo requests to the second card: no answer" grep -q '100 packets transmitted, 0 received' /run/test/wrong.log
	check "$mode: they are counted" [ "$(counter h2 dropped-other-interface)" -ge $((before + 100)) ]
	check "$mode: the second card's own address answers" reached

	capture_end "all-$mode"
	capture_end "web-$mode"
	note "$mode: $(jq -c .bindings "/run/test/all-$mode.json")"
	same "$mode: MACs bound to the VIP" "${mac[$mode]}" "$(field "all-$mode" ".bindings.\"$VIP\" | join(\",\")")"
	for i in 1 2 3; do
		same "$mode: no MAC of host $i's is bound to the IPv6 VIP" null \
			"$(field "all-$mode" ".bindings.\"$VIP6\" // [] | (index(\"$(host_mac "$i")\") // index(\"$(NIC2 "$i")\"))")"
	done
	same "$mode: SYNs answered twice" 0 "$(field "web-$mode" .answered_twice)"
	same "$mode: no frame has the virtual MAC as its source" false \
		"$(field "all-$mode" ".sources | index(\"${mac[$mode]}\") != null")"
	for i in 1 2 3; do
		check "$mode: host $i's ARP questions in the VIP's name were mended" [ "$(counter "h$i" arp-leak-mended)" -gt 0 ]
		leave "$i"
	done
done
