# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: without room for more sessions new ones are served all the same, counted, and told of
# timeout: 200

QUIC=443
MAX=64

cluster 2 --sessions-max "$MAX"
for n in 1 2; do
	background "h$n" "quic$n" tt serve --id "$n" --listen-udp "$VIP:$QUIC"
	wait_until 10 logged_line "quic$n" serving
	background "h$n" "events$n" nlbadm -j monitor eth0
done
# sessions N: how many host N remembers.
sessions() {
	adm "h$1" -j show eth0 | jq '.[0].sessions'
}

background c quic tt datagrams --to "$VIP:$QUIC" --from "$SOURCES" --count 300 \
	--ready /run/test/quic.ready --until /run/test/quic.end
check "300 sessions are answered, where there is room for $((2 * MAX))" wait_until 40 test -e /run/test/quic.ready
for n in 1 2; do
	no_room() {
		[ "$(counter "h$n" session-no-room)" -gt 0 ]
	}
	check "host $n: those without room are counted" wait_until 10 no_room
	check "host $n: and told of" wait_until 10 logged_line "events$n" '"event":"sessions-full"'
	within "host $n: sessions remembered" "$(sessions "$n")" 1 "$MAX"
done
steady 3000 true
same "told once" "1 1" "$(for n in 1 2; do grep -c '"event":"sessions-full"' "/run/test/events$n.log"; done | xargs)"

# Room is made while they go on: all are remembered with their next datagram.
for n in 1 2; do
	adm "h$n" set --sessions-max 4096 eth0
done
all_remembered() {
	[ $(($(sessions 1) + $(sessions 2))) = 300 ]
}
check "with more room all are remembered" wait_until 20 all_remembered
refused=$(($(counter h1 session-no-room) + $(counter h2 session-no-room)))
steady 1000 true
same "and no more are without room" "$refused" "$(($(counter h1 session-no-room) + $(counter h2 session-no-room)))"
touch /run/test/quic.end
finish quic
cp /run/test/quic.log /run/test/quic.json
note "$(cat /run/test/quic.json)"
same "answers by another host" 0 "$(field quic .moved)"
# Some are on their way at the end.
check "hardly a datagram without an answer" [ "$(field quic '.sent - .answered')" -le 10 ]
