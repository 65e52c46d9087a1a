# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connections begun under a SYN flood survive a join
# topology: guests
#
# As guests-syn-cookies, but nobody asks for cookies: the flood does. The
# listeners have a short backlog, so that a small flood fills it.

FROM=10.2.0.0/16
FLOOD=10.3.0.0/16
BACKLOG=64
COUNT=90

# cookies N COUNTER: SYN cookies that host N sent or took back.
cookies() {
	guest "$1" cat /proc/net/netstat | awk -v name="Syncookies$2" '$1 != "TcpExt:" { next }
		!names { names = split($0, name_of); next }
		{ for (i = 2; i <= NF; i++) if (name_of[i] == name) print $i }'
}

for n in 1 2 3; do
	guest "$n" "sysctl -q net.ipv4.tcp_syncookies=1
		ip route add $FROM via 10.0.0.100; ip route add $FLOOD via 10.0.0.100
		sed -i 's/backlog=4096/backlog=$BACKLOG/' /run/nginx.conf
		kill -QUIT \$(</run/nginx.pid)
		. /nlb/lib/ktap.sh
		wait_until 20 test ! -e /run/nginx.pid
		nginx -c /run/nginx.conf"
done
join 1
join 2
wait_agree 60 1 2
mac=$(client ip -brief link show dev c0 | awk '{ print $3 }')
client tt flood --dev c0 --from-mac "$mac" --to-mac "$VIRTUAL_MAC" --to "$VIP:80" \
	--from "$FLOOD" --per-second 150 --until "$RUN/flood.end" >"$RUN/flood.json" &
flood=$!
defer touch "$RUN/flood.end"
flooded() {
	[ "$(cookies 1 Sent)" -gt 50 ] && [ "$(cookies 2 Sent)" -gt 50 ]
}
check "the flood makes both hosts send cookies" wait_until 60 flooded

client tt handshake --dev c0 --from-mac "$mac" --to-mac "$VIRTUAL_MAC" --to "$VIP:80" \
	--from "$FROM" --count "$COUNT" --ready "$RUN/begun.ready" --until "$RUN/begun.end" >"$RUN/begun.json" &
begun=$!
defer touch "$RUN/begun.end"
begun_all() {
	test -e "$RUN/begun.ready"
}
check "$COUNT SYNs are answered in it" wait_until 40 begun_all
join 3
check "a third host joins in the flood" wait_agree 60 1 2 3
run_for 1000
touch "$RUN/begun.end"
wait "$begun"
touch "$RUN/flood.end"
wait "$flood"
note "flood: $(cat "$RUN/flood.json"); $(cat "$RUN/begun.json")"
for n in 1 2 3; do
	note "host $n: cookies sent $(cookies "$n" Sent), taken back $(cookies "$n" Recv)"
done
same "finished and answered" "$COUNT" "$(field begun "r['answered']")"
same "reset" 0 "$(field begun "r['reset']")"
same "by the new host, which did not answer the SYNs" 0 "$(field begun "r['hosts'].get('3', 0)")"
# A place in a backlog that becomes free is soon taken by the flood.
check "most were begun by a cookie" [ $(($(cookies 1 Recv) + $(cookies 2 Recv))) -gt $((COUNT / 2)) ]
# They are of the first addresses of the network and of one port; who owns them now?
moved=$(guest 1 "for ((i = 1; i <= $COUNT; i++)); do echo 10.2.0.\$i:40000 $VIP:80; done |
	nlbadm -j owner --batch" | grep -c '"owner":3,')
within "of a bucket that is the new host's now" "$moved" 10 $((COUNT - 10))
