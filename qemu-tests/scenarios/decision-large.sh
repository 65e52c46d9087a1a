# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what is too large for one frame: path MTU discovery through the VIP, fragments, large pings
# timeout: 200
#
# A client behind a router, whose link to it takes 1000 (IPv6: 1280) bytes. The
# router tells the VIP so by ICMP; the host that serves the connection must hear it.

cluster 3 --vip "$VIP6"
far_side
for n in 1 2 3; do
	ip -n "h$n" route add 10.3.0.0/24 via 10.0.0.200
	ip -n "h$n" route add fd03::/64 via fd00::c8
done
capture icmp sw pr "icmp[icmptype] = 3 or icmp6[icmp6type] = 2"

BYTES=30000
# echoed ADDRESS: whether so many bytes come back over one connection. The
# server sends as much as a segment holds until it is told that it is too much.
echoed() {
	# shellcheck disable=SC2016
	[ "$(on far timeout 10 bash -c 'exec 3<>"/dev/tcp/$1/80"
		{ printf E; head -c "$2" /dev/zero | tr "\\0" x; } >&3 &
		head -c "$2" <&3 | wc -c' bash "$1" "$BYTES")" = "$BYTES" ]
}
for ((i = 1; i <= 8; i++)); do
	check "large segments over IPv4, connection $i" echoed "$VIP"
	# What is learnt is kept for the client's address; each connection shall learn it anew.
	for n in 1 2 3; do
		on "h$n" ip route flush cache
		on "h$n" ip -6 route flush cache
	done
	check "and over IPv6" echoed "$VIP6"
done
kill -INT "$(<"/run/test/icmp.pid")"
wait_until 10 logged_line icmp 'packets captured'
check "the router said that they were too large" \
	[ "$(tcpdump -nr /run/test/icmp.pcap 2>/dev/null | wc -l)" -ge 8 ]

check "ping with 4,000 bytes" on c ping -q -c 3 -i 0.2 -W 3 -s 4000 "$VIP"
check "and over IPv6" on c ping -q -c 3 -i 0.2 -W 3 -s 4000 "$VIP6"

for n in 1 2 3; do
	background "h$n" "udp$n" tt serve --id "$n" --listen-udp "$VIP:5300" --listen-udp "[$VIP6]:5300"
	wait_until 10 logged_line "udp$n" serving
done
on c tt datagrams --to "$VIP:5300" --from "$SOURCES" --count 60 --size 4000 >/run/test/large.json
same "UDP requests of 4,000 bytes by affinity none" 60 "$(field large .sessions)"
same "each answered by one host" 0 "$(field large .moved)"
same "by all hosts" 3 "$(field large '.hosts | length')"
on c tt datagrams --to "[$VIP6]:5300" --from fd00::64/128 --count 60 --size 4000 >/run/test/large6.json
same "over IPv6" 60 "$(field large6 .sessions)"
same "each answered by one host" 0 "$(field large6 .moved)"
same "by all hosts" 3 "$(field large6 '.hosts | length')"
