# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the cable of a guest is pulled and plugged in again, also with a second path alive
# topology: guests
# timeout: 420

# A guest on a busy machine may stand still for seconds and be taken for dead: a
# SYN to it is then answered by another host, its third or fourth repetition at
# the latest. Nobody has to be refused or left alone for ever; what it took is
# printed.
patience=(--timeout-ms 30000)

cluster
requests 300 before "${patience[@]}"
same "all answered" 300 "$(field before "r['answered']")"

unplug 2
check "the others agree without it" wait_agree 30 1 3
requests 300 without "${patience[@]}"
same "all answered by the others" 300 "$(field without "r['answered']")"
same "none by host 2" 0 "$(field without "r['hosts'].get('2', 0)")"

plug 2
check "it is a member again" wait_agree 60 1 2 3
requests 900 after "${patience[@]}"
same "all answered" 900 "$(field after "r['answered']")"
check "host 2 serves again" [ "$(field after "r['hosts'].get('2', 0)")" -gt 200 ]

# With heartbeats on another network it stays a member, and serves nobody all the same.
owns_something() {
	[ "$(buckets 1 2)" -gt 0 ]
}
for n in 1 2 3; do
	relay "$n" 1 2 3
done
for n in 1 3; do
	check "host $n hears host 2 on both paths" wait_until 60 paths_are "$n" 2 segment,relay
done
unplug 2
check "second path alive: host 2's buckets move" wait_until 30 buckets_are 1 2 0
requests 300 relayed "${patience[@]}"
same "second path alive: all answered by the others" 300 "$(field relayed "r['answered']")"
same "second path alive: none by host 2" 0 "$(field relayed "r['hosts'].get('2', 0)")"
check "second path alive: it is heard" wait_until 30 paths_are 1 2 relay
plug 2
check "second path alive: it has buckets again" wait_until 60 owns_something
check "second path alive: all are members" wait_agree 60 1 2 3
requests 300 returned "${patience[@]}"
same "second path alive: all answered on return" 300 "$(field returned "r['answered']")"
check "second path alive: host 2 serves again" [ "$(field returned "r['hosts'].get('2', 0)")" -gt 50 ]
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"
if [ "$(field after "r['late']")" != 0 ] || [ "$(field returned "r['late']")" != 0 ]; then
	for n in 1 2 3; do
		note "host $n: $(guest "$n" nlbadm history)"
	done
fi
