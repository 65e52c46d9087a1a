# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: down and stop end the connections that they leave behind, and a drain waits for those that live
# clock: counted
# timeout: 600
#
# Rows 21 and 27 of the field. A socket that outlives its cluster goes on sending
# from an address that is another host's by then, and an entry of connection
# tracking stays for days.

PORT=8080
cluster 2 --vip "$VIP6"

# A container behind host 2.
add_netns k2
ip link add k0 netns h2 type veth peer name eth0 netns k2
ip -n h2 addr add 172.17.0.1/24 dev k0
ip -n h2 link set k0 up
ip -n k2 addr add 172.17.0.2/24 dev eth0
ip -n k2 link set eth0 up
ip -n k2 route add default via 172.17.0.1
on h2 sysctl -q net.ipv4.ip_forward=1
on h2 nft "add table ip nat; add chain ip nat in { type nat hook prerouting priority -100; }
	add rule ip nat in ip daddr $VIP tcp dport $PORT dnat to 172.17.0.2:80"
background k2 container tt serve --id 2 --listen 0.0.0.0:80
wait_until 10 logged_line container serving
background h1 other tt serve --id 1 --listen "[::]:$PORT"
wait_until 10 logged_line other serving

# held NAME TO FROM OPTION…: connections of many clients.
held() {
	local name=$1 to=$2 from=$3
	shift 3
	background c "$name" tt hold --to "$to" --from "$from" --ready "/run/test/$name.ready" --until "/run/test/$name.end" "$@"
	wait_until 60 test -e "/run/test/$name.ready"
}
# of_host_2 NAME: how many of them are of host 2.
of_host_2() {
	awk '$1 == 2 { print $2 }' "/run/test/$1.ready"
}
sockets() {
	on "$1" ss -Htn state connected exclude time-wait src "$VIP" or src "[$VIP6]" | wc -l
}
tracked() {
	on "$1" conntrack -L -p tcp --orig-dst "$VIP" --orig-port-dst "$PORT" 2>/dev/null | wc -l
}
listed() {
	adm "$1" -j connections eth0 | jq "[.connections[] | select(.table == \"$2\")] | length"
}
ended() {
	touch "/run/test/$1.end"
	finish "$1"
	cp "/run/test/$1.log" "/run/test/$1.json"
	note "$1: $(cat "/run/test/$1.json")"
}

held web4 "$VIP:80" "$SOURCES" --count 50 --interval-ms 200
held web6 "[$VIP6]:80" fd01::/64 --count 50 --interval-ms 200
held pods "$VIP:$PORT" 10.1.64.0/24 --count 50 --interval-ms 200
for name in web4 web6 pods; do
	note "$name: $(tr '\n' ' ' <"/run/test/$name.ready")"
done
mine=$(($(of_host_2 web4) + $(of_host_2 web6)))
same "connections: those of sockets are listed" "$mine" "$(listed h2 socket)"
same "connections: those of containers are listed" "$(of_host_2 pods)" "$(listed h2 conntrack)"
check "connections: a line for each" grep -q "^10\..*:80 .*established .*socket" <<<"$(adm h2 connections eth0)"
same "as ss counts them" "$mine" "$(sockets h2)"

# down.
capture wire sw p2 "ether src $(host_mac 2) and (src host $VIP or src host $VIP6)"
adm h2 down eth0 2>/run/test/down.err
# From here on.
MARK=$(wall_ms)
note "$(cat /run/test/down.err)"
check "down: it says how many it ended" grep -q "ended $((mine + $(of_host_2 pods))) connections" /run/test/down.err
same "down: no socket is left" 0 "$(sockets h2)"
same "down: no entry of a container is left" 0 "$(tracked h2)"
check "down: host 1 serves alone" wait_agree 20 1
requests 60 after
same "down: all new clients are served" 60 "$(field after .answered)"
steady 5000 true
for name in web4 web6 pods; do
	ended "$name"
	same "down: $name: those of host 2 broke, and no other" "$(of_host_2 "$name")" "$(field "$name" .broken)"
done
capture_end wire
late=$(on sw tcpdump -r /run/test/wire.pcap -tt -n 2>/dev/null | awk -v mark="$MARK" '$1 * 1000 > mark' | tee /run/test/late | wc -l)
[ "$late" = 0 ] || note "$(head -5 /run/test/late)"
same "down: no frame of the VIP leaves the host any more" 0 "$late"

# stop does the same, and leaves the cluster and the VIP.
join 2 --vip "$VIP6"
check "host 2 is back" wait_agree 20 1 2
held again "$VIP:80" "$SOURCES" --count 40 --interval-ms 200
adm h2 stop eth0 2>/run/test/stop.err
check "stop: it says how many it ended" grep -q "ended $(of_host_2 again) connections" /run/test/stop.err
same "stop: no socket is left" 0 "$(sockets h2)"
ended again
same "stop: those of host 2 broke" "$(of_host_2 again)" "$(field again .broken)"
adm h2 start eth0
check "host 2 serves again" wait_agree 20 1 2

# A drain whose time is over stops without a tool: entries of connection tracking stay.
# None of them is in the middle of anything: a container that repeats what is not acknowledged
# keeps its entry alive, until it gives up.
held stale "$VIP:$PORT" 10.1.64.0/24 --count 1 --quiet 30 --interval-ms 600000
adm h2 drainstop --timeout 0 --wait eth0
check "stale: entries stay" [ "$(tracked h2)" -gt 0 ]
adm h2 start eth0
check "stale: host 2 serves again" wait_agree 20 1 2
adm h2 drainstop eth0
check "stale: a drain does not wait for connections that a stop had ended" wait_until 20 state_is 2 stopped
note "entries: $(tracked h2)"
ended stale

# One that lives is waited for, and listed, though it says nothing.
adm h2 start eth0
check "quiet: host 2 serves again" wait_agree 20 1 2
held quiet "$VIP:$PORT" 10.1.65.0/24 --count 1 --quiet 30 --interval-ms 200
adm h2 drainstop eth0
check "quiet: the drain goes on" steady 5000 state_is 2 draining
check "quiet: what it waits for is listed" [ "$(listed h2 conntrack)" -ge "$(of_host_2 quiet)" ]
ended quiet
same "quiet: none broke" 0 "$(field quiet .broken)"
check "quiet: then it stops" wait_until 20 state_is 2 stopped

# Connections that this side closed first wait a minute for what is under way; a drain does not.
adm h2 start eth0
check "over: host 2 serves again" wait_agree 20 1 2
listens() {
	[ "$(on "h$1" ss -Htln 'sport = 81' | wc -l)" = 1 ]
}
for n in 1 2; do
	background "h$n" "httpd$n" busybox httpd -f -p 81 -h /run/test
	wait_until 10 listens "$n"
done
echo hello >/run/test/hello
over() {
	on h2 ss -Htn state time-wait src "$VIP" | wc -l
}
one_is_over() {
	on c curl -s --max-time 5 -o /dev/null "http://$VIP:81/hello"
	[ "$(over)" -gt 0 ]
}
check "over: host 2 has one in TIME_WAIT" wait_until 20 one_is_over
adm h2 drainstop eth0
check "over: the drain does not wait for it" wait_until 20 state_is 2 stopped
check "over: it is still there" [ "$(over)" -gt 0 ]
