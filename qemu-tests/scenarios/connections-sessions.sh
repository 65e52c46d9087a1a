# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: UDP sessions and tunnels stay on their host when a host joins; SYN-ACKs do not
# timeout: 300

QUIC=443

cluster 2
serve_udp() {
	background "h$1" "quic$1" tt serve --id "$1" --listen-udp "$VIP:$QUIC"
	wait_until 10 logged_line "quic$1" serving
}
serve_udp 1
serve_udp 2

# sessions N: how many host N remembers.
sessions() {
	adm "h$1" -j show eth0 | jq '.[0].sessions'
}

same "host 1 remembers nothing" 0 "$(sessions 1)"
background c quic tt datagrams --to "$VIP:$QUIC" --from "$SOURCES" --count 300 \
	--ready /run/test/quic.ready --until /run/test/quic.end
check "all sessions are answered" wait_until 40 test -e /run/test/quic.ready
note "by host: $(tr '\n' ' ' </run/test/quic.ready)"
# remembered COUNT: the hosts know so many in all. A session that came while the table was made is known with its next
# datagram.
remembered() {
	local n sum=0
	for n in "${HOSTS[@]}"; do
		sum=$((sum + $(sessions "${n#h}")))
	done
	[ "$sum" = "$1" ]
}
check "each is remembered by one host" wait_until 10 remembered 300

# Of tunnels from 20 clients: GRE and ESP, in raw frames, seen by all hosts.
tunnels() {
	local i
	for ((i = 1; i <= 20; i++)); do
		on c tt packet --dev eth0 --to-mac "$VIRTUAL_MAC" --from "10.1.200.$i:0" --to "$VIP:0" \
			--data 0000880b00000000 "$@" >/dev/null
	done
}
# total COUNTER: sum over all hosts.
total() {
	local n sum=0
	for n in "${!HOSTS[@]}"; do
		sum=$((sum + $(counter "${HOSTS[n]}" "$1")))
	done
	echo "$sum"
}
tunnels protocol 47
tunnels protocol 50
check "each tunnel has one host" wait_until 10 remembered 340

# Connections that are begun, and not finished, before a change.
on c nft 'add table ip quiet; add chain ip quiet out { type filter hook output priority 0; }
	add rule ip quiet out tcp flags rst drop'
begin() {
	local i
	for ((i = 1; i <= 20; i++)); do
		on c tt packet --dev eth0 --to-mac "$VIRTUAL_MAC" --from "10.1.201.$i:40000" --to "$VIP:80" \
			tcp --flags S --seq 1000 >/dev/null
	done
}
half_open() {
	on "h$1" ss -Htn state syn-recv src "$VIP" | wc -l
}
half_open_are() {
	[ "$(($(half_open 1) + $(half_open 2)))" -ge "$1" ]
}
begin
check "20 connections are half open" wait_until 10 half_open_are 20
capture wire c eth0 "tcp[tcpflags] & tcp-syn != 0 and tcp[tcpflags] & tcp-ack != 0"

add_host 3
serve 3
join 3
check "a third host joins" wait_agree 30 1 2 3
serve_udp 3
check "it owns its share" wait_until 20 buckets_about 1365 1 3
residual=$(total accepted-residual)
late() {
	[ "$(total dropped-late-syn-ack)" -ge "$1" ]
}
# They send their SYN-ACKs again after a second; a third of them is another host's by now.
check "late SYN-ACKs are kept back" wait_until 20 late 3
steady 2000 true
check "sessions are served where they are" [ "$(total accepted-residual)" -gt "$residual" ]
tunnels protocol 50
same "of which the new host knows none" 0 "$(sessions 3)"

touch /run/test/quic.end
finish quic
cp /run/test/quic.log /run/test/quic.json
note "$(cat /run/test/quic.json)"
same "sessions" 300 "$(field quic .sessions)"
same "that another host answered" 0 "$(field quic .moved)"
check "hardly an answer was lost" [ "$(field quic '.sent - .answered')" -le 10 ]
capture_end wire

# New sessions are the new owner's too.
on c tt datagrams --to "$VIP:$QUIC" --from 10.1.128.0/24 --count 150 >/run/test/new.json
note "$(cat /run/test/new.json)"
check "the new host serves new sessions" [ "$(field new '.hosts."3" // 0')" -gt 20 ]
same "none is answered twice" 0 "$(field new .moved)"

same "the limit is 262,144" 262144 "$(adm h1 -j show eth0 | jq '.[0].sessions_max')"
adm h1 set --sessions-max 1000 eth0
same "or as told" 1000 "$(adm h1 -j show eth0 | jq '.[0].sessions_max')"
check "nonsense is refused" not adm h1 set --sessions-max 1048577 eth0
