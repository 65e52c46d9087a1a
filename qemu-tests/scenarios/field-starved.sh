# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a host that gets no frames to the virtual MAC gives its buckets up; where no host gets any, nothing moves
# clock: counted
# timeout: 420
#
# Row 5 of the field: an untrusted virtual function, Hyper-V without MAC spoofing, a
# list of static MACs that lacks a port. Heartbeats pass, and clients of that host
# reach nobody.

cluster 3 --vip "$VIP6"
watch 1
# withhold FAMILY N…: the switch keeps what goes to the VIP from the ports of these hosts.
withhold() {
	local match="ip daddr $VIP" n
	[ "$1" = 4 ] || match="ip6 daddr $VIP6"
	shift
	on sw nft 'add table bridge fdb; add chain bridge fdb forward { type filter hook forward priority 0; }'
	for n in "$@"; do
		# shellcheck disable=SC2086 # words of a rule
		on sw nft add rule bridge fdb forward oifname "p$n" $match drop
	done
}
# out_of N M: what host N says of host M; buckets N: how many it owns.
out_of() {
	shown "$1" ".[0].hosts[] | select(.host_id == $2).out_reason"
}
buckets() {
	shown "$1" '.[0].buckets_owned'
}
all_say() {
	local n
	for n in 1 2 3; do
		[ "$(out_of "$n" "$1")" = "$2" ] || return 1
	done
}
has_none() {
	[ "$(buckets "$1")" = 0 ]
}
has_some() {
	[ "$(buckets "$1")" -gt 1000 ]
}
clients() {
	if [ "$2" = 4 ]; then
		requests 90 "$1" --timeout-ms 300
	else
		requests6 90 "$1" --timeout-ms 300
	fi
}

for family in 4 6; do
	withhold "$family" 2
	check "$family: all name the host within ten seconds" wait_until 10 all_say 2 starved
	check "$family: told to who listens at another host" next_event 1 10 '*"event":"host-out"*"host_id":2*"out_reason":"starved"*'
	check "$family: it gives its buckets up" wait_until 10 has_none 2
	check "$family: it stays a member" members_are h1 eth0 1 2 3
	check "$family: it says why" grep -q "STARVED: frames to the virtual mac (IPv$family)" <<<"$(adm h2 show eth0)"
	check "$family: in the kernel's log" grep -q 'nlb: frames to the virtual MAC do not arrive' <<<"$(dmesg)"
	clients "starved$family" "$family"
	same "$family: all clients are answered" 90 "$(field "starved$family" .answered)"
	same "$family: by the others" '1,3' "$(field "starved$family" '.hosts | keys | join(",")')"
	on sw nft delete table bridge fdb
	check "$family: frames again: it takes buckets" wait_until 10 has_some 2
	check "$family: nobody names it any more" wait_until 10 all_say 2 null
	clients "fed$family" "$family"
	same "$family: all clients are answered by all hosts" 90 "$(field "fed$family" .answered)"
	same "$family: by three hosts" 3 "$(field "fed$family" '.hosts | length')"
done

before=$(generation h1)
shares="$(buckets 1) $(buckets 2) $(buckets 3)"
withhold 4 1 2 3
for n in 1 2 3; do
	check "all: host $n is named by all" wait_until 10 all_say "$n" starved
done
pause 10
same "all: nothing has moved" "$before: $shares" "$(generation h1): $(buckets 1) $(buckets 2) $(buckets 3)"
on sw nft delete table bridge fdb
for n in 1 2 3; do
	check "all: host $n is fed again" wait_until 10 all_say "$n" null
done
same "all: nothing has moved by the end" "$before: $shares" "$(generation h1): $(buckets 1) $(buckets 2) $(buckets 3)"
