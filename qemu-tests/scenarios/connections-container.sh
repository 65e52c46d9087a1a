# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connections to containers behind the VIP survive a join, and connection tracking may come and go
# timeout: 300
#
# No host has a socket for such a connection: only its connection tracking
# knows it.

PORT=8080

# container N: a namespace behind host N, which the VIP's port leads to.
container() {
	local n=$1
	add_netns "k$n"
	ip link add k0 netns "h$n" type veth peer name eth0 netns "k$n"
	ip -n "h$n" addr add 172.17.0.1/24 dev k0
	ip -n "h$n" link set k0 up
	ip -n "k$n" addr add 172.17.0.2/24 dev eth0
	ip -n "k$n" link set eth0 up
	ip -n "k$n" route add default via 172.17.0.1
	on "h$n" sysctl -q net.ipv4.ip_forward=1
	on "h$n" nft "add table ip nat; add chain ip nat in { type nat hook prerouting priority -100; }
		add rule ip nat in ip daddr $VIP tcp dport $PORT dnat to 172.17.0.2:80
		add rule ip nat in ip daddr $VIP udp dport 443 dnat to 172.17.0.2:443"
	background "k$n" "container$n" tt serve --id "$n" --listen 0.0.0.0:80 --listen-udp 0.0.0.0:443
	wait_until 10 logged_line "container$n" serving
}

cluster 2
container 1
container 2
capture wire sw pc "tcp port $PORT and $TURNS"
background c held tt hold --to "$VIP:$PORT" --from "$SOURCES" --count 200 --interval-ms 300 \
	--ready /run/test/held.ready --until /run/test/held.end
background c quic tt datagrams --to "$VIP:443" --from 10.1.64.0/24 --count 100 \
	--ready /run/test/quic.ready --until /run/test/quic.end
check "200 connections to two containers stand" wait_until 60 test -e /run/test/held.ready
check "and 100 UDP sessions" wait_until 30 test -e /run/test/quic.ready
note "held: $(tr '\n' ' ' </run/test/held.ready)"
same "hosts" 2 "$(wc -l </run/test/held.ready)"
same "sockets of the hosts" 0 "$(on h1 ss -Htn src "$VIP" | wc -l)"

add_host 3
container 3
serve 3
join 3
check "a third host joins" wait_agree 30 1 2 3
check "it owns its share" wait_until 20 buckets_about 1365 1 3
steady 3000 true
touch /run/test/held.end /run/test/quic.end
finish held
finish quic
capture_end wire
cp /run/test/held.log /run/test/held.json
cp /run/test/quic.log /run/test/quic.json
note "$(cat /run/test/held.json) $(cat /run/test/quic.json)"
same "connections" 200 "$(field held .connections)"
same "broken" 0 "$(field held .broken)"
check "none stood still" [ "$(field held .worst_stall_ms)" -lt 2500 ]
no_reset wire "resets on the wire"
same "UDP sessions that another host answered" 0 "$(field quic .moved)"
check "found by connection tracking" \
	[ "$(($(counter h1 accepted-residual) + $(counter h2 accepted-residual)))" -gt 100 ]

# It is no dependency: the module can go while clusters stand, and come back.
for n in 1 2 3; do
	on "h$n" nft delete table ip nat
done
check "connection tracking can be unloaded" wait_until 20 without nf_conntrack
check "and the cluster stands" agree 1 2 3
requests 100 without
same "answered without it" 100 "$(field without .answered)"
check "it comes back" modprobe nf_conntrack
requests 100 with
same "answered with it" 100 "$(field with .answered)"
