# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connection tracking is unloaded again and again while packets ask for it
# clock: real
# cpus: 2
# timeout: 300
# long-timeout: 900
#
# Its exit frees what the packet path looks in, and only after that tells who
# wants to know that a module goes. LONG=1 makes it 50 rounds instead of 8.

ROUNDS=${LONG:+50}
ROUNDS=${ROUNDS:-8}

load_module
load_gun
check "connection tracking is not loaded" wait_until 20 without nf_conntrack
moved_device
before=$(nlbadm -j counters moved0 --all | jq '.counters["dropped-no-session"]')

# Segments of a bucket that has moved, of no connection: each asks all tables.
asking() {
	while [ ! -e /run/test/asked ]; do
		fire moved0 rx 3200 "$MOVED_MISS"
	done
}
asking >/run/test/asking.log 2>&1 &
printf '%s\n' "$!" >/run/test/asking.pid
defer kill_background asking

rounds=0
for ((i = 0; i < ROUNDS; i++)); do
	modprobe nf_conntrack
	[ -d /sys/module/nf_conntrack ]
	was=$(wc -l </run/test/asking.log)
	more() {
		[ "$(wc -l </run/test/asking.log)" -gt $((was + 2)) ]
	}
	wait_until 20 more
	gone() {
		rmmod nf_conntrack 2>/dev/null || :
		[ ! -d /sys/module/nf_conntrack ]
	}
	wait_until 20 gone
	rounds=$((rounds + 1))
done
touch /run/test/asked
same "times that it came and went" "$ROUNDS" "$rounds"
after=$(nlbadm -j counters moved0 --all | jq '.counters["dropped-no-session"]')
note "packets that asked: $((after - before))"
check "packets asked all the time" [ "$((after - before))" -gt $((ROUNDS * 3200)) ]
check "and the host serves" wait_until 20 members_are '' moved0 1 2
