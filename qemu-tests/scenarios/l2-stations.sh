# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what foreign stations see of the VIPs all the time: one answer, always the virtual MAC
# clock: counted
# timeout: 300
# long-timeout: 2400
#
# Idle time is skipped, so an hour is one of the guest's own clock (LONG=1;
# else eighty seconds). The hosts open connections of their own the whole time,
# in the name of every address that they have, and heartbeats are slow, for they
# are what such an hour is made of.

SPAN=80
GAP=40
[ -z "${LONG:-}" ] || SPAN=3600 GAP=120

hosts 3
add_netns x
plug x eth0 px 02:00:00:00:00:77
ip -n x addr add 10.0.0.77/16 dev eth0
on x sysctl -q net.ipv6.conf.eth0.accept_dad=0
ip -n x addr add fd00::77/64 dev eth0 nodad
for i in 1 2 3; do
	on "h$i" sysctl -q net.ipv6.conf.eth0.router_solicitations=0
done
capture segment sw br0 arp or icmp6

load_module
for i in 1 2 3; do
	serve "$i"
	join "$i" --vip "$VIP6" --period 2s --tolerance 5
	# Where the interface has the VIP, too, the stack asks for IPv6 neighbours in its name.
	ip -n "h$i" addr add "$VIP6/128" dev eth0 nodad preferred_lft 0
done
wait_agree 120 1 2 3

background c answer tt serve --id 64 --listen "[::]:8080"
wait_until 10 logged_line answer serving
# own N FROM OPTION…: host N speaks to the client in the name of an address that it has.
own() {
	local n=$1 to="$CLIENT:8080" from=$2/32
	[[ $from != *:* ]] || to="[fd00::64]:8080" from=$2/128
	shift 2
	on "h$n" tt connect --to "$to" --from "$from" --timeout-ms 5000 "$@"
}
# Every twelve seconds or so each host speaks in the name of each of its addresses.
SPEAKING=()
for i in 1 2 3; do
	for from in "10.0.0.$i" "$VIP" "fd00::$i" "$VIP6"; do
		SPEAKING+=("own$i-${from//[:.]/-}")
		own "$i" "$from" --until /run/test/over --interval-ms $((12000 + i * 700)) \
			>"/run/test/${SPEAKING[-1]}.log" 2>&1 &
		printf '%s\n' "$!" >"/run/test/${SPEAKING[-1]}.pid"
		defer kill_background "${SPEAKING[-1]}"
	done
done

# one_answer TEXT CMD…: arping's report must be one answer for each question, with the virtual MAC.
ASKED=0
WRONG=''
one_answer() {
	local text=$1 out
	shift
	ASKED=$((ASKED + 1))
	out=$("$@" 2>&1) || :
	if [ "$(grep -ciE "$VIRTUAL_MAC" <<<"$out")" != 1 ] ||
		[ "$(grep -coE '([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}' <<<"$out")" != 1 ]; then
		WRONG+="at $(($(now_ms) / 1000)) s, $text: $out"$'\n'
	fi
}
known() {
	ip -n "$1" -j neigh show "$2" dev eth0 | jq -r '.[0] | "\(.dst) lladdr \(.lladdr)"'
}
look() {
	local i
	# TCP itself confirms a neighbour that acknowledges, so hosts that speak all the time never ask again: they forget,
	# and the first packet to the client, in whose name the host then asks for it, is a VIP's.
	for i in 1 2 3; do
		ip -n "h$i" neigh flush all
		own "$i" "$VIP" --count 1 >/dev/null
		ip -n "h$i" -6 neigh flush all
		own "$i" "$VIP6" --count 1 >/dev/null
	done
	# The first question is a broadcast; the station asks the answering MAC alone when it asks again (-b: never).
	one_answer "arping, broadcast" on x arping -b -c 1 -w 2 -I eth0 "$VIP"
	one_answer "arping, RFC 5227 probe" on x arping -D -c 1 -w 2 -I eth0 "$VIP"
	on c ping -q -c 1 -W 3 "$VIP" >/dev/null || :
	on x ping -q -c 1 -W 3 "$VIP" >/dev/null || :
	one_answer "ip neigh" known c "$VIP"
	one_answer "ip neigh" known x "$VIP"
	one_answer "ip neigh" known c "$VIP6"
	on x ip -6 neigh flush dev eth0
	one_answer "ndisc6" on x ndisc6 -1 -q -w 2000 "$VIP6" eth0
	# Nobody here is a router.
	if on x rdisc6 -1 -q -w 500 eth0 >/run/test/rdisc6.out 2>&1; then
		WRONG+="rdisc6: $(cat /run/test/rdisc6.out)"$'\n'
	fi
}
scan() {
	one_answer "nmap" on x nmap -n -sn -PR "$VIP"
}

began=$(now_ms)
scan
while [ $(($(now_ms) - began)) -lt $((SPAN * 1000)) ]; do
	look
	pause "$GAP"
done
# A question to the virtual MAC itself, as stations ask that know it.
on x arping -c 3 -w 5 -I eth0 "$VIP" >/run/test/unicast.out || :
scan
touch /run/test/over
took=$(($(now_ms) - began))
note "asked $ASKED times in $((took / 1000)) s"
check "$SPAN s have passed" [ "$took" -ge $((SPAN * 1000)) ]
for name in "${SPEAKING[@]}"; do
	finish "$name"
done
# Each spoke at least every 15 seconds, and was heard.
same "connections of the hosts' own that failed" 0 \
	"$(cd /run/test && cat own*.log | jq -s 'map(.requests - .answered) | add')"
check "the hosts spoke all the time" [ "$(cd /run/test && cat own*.log | jq -s 'map(.answered) | min')" -ge $((SPAN / 15)) ]
same "questions that were not answered once, with the virtual MAC" "" "$WRONG"
same "unicast questions: one answer each" "Received 3 response(s)" \
	"$(grep -o 'Received [0-9]* response(s)' /run/test/unicast.out)"
same "the members are the same" "1 2 3" "$(seen h1 | sed 's/.*: //')"

capture_end segment
note "$(jq -c .bindings /run/test/segment.json)"
for vip in "$VIP" "$VIP6"; do
	same "MACs bound to $vip" "$VIRTUAL_MAC" "$(field segment ".bindings.\"$vip\" | join(\",\")")"
done
for i in 1 2 3; do
	same "MACs bound to 10.0.0.$i" "$(host_mac "$i")" "$(field segment ".bindings.\"10.0.0.$i\" | join(\",\")")"
	same "MACs bound to fd00::$i" "$(host_mac "$i")" "$(field segment ".bindings.\"fd00::$i\" | join(\",\")")"
	for family in arp nd; do
		check "host $i spoke in the VIPs' name: its questions were mended ($family)" \
			[ "$(counter "h$i" "$family-leak-mended")" -gt 0 ]
	done
done
same "no frame has the virtual MAC as its source" false \
	"$(field segment ".sources | index(\"$VIRTUAL_MAC\") != null")"
