# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: all machines stand still at once, and go on one after the other: all serve again, and what was open goes on
# topology: guests
# timeout: 420

# Row 16 of the field: a storage stall, or the whole cluster is moved to other machines.
# As in guests-cable: a guest that stands still is not one that refuses.
patience=(--timeout-ms 30000)

# held_end: the connections close; HELD.json says what became of them.
held_end() {
	touch "$RUN/held.end"
	wait "$HELD_PID"
	note "held: $(cat "$RUN/held.json")"
}
# held N: whether N connections stand.
held() {
	[ "$(awk '{ sum += $2 } END { print sum + 0 }' "$RUN/held.ready" 2>/dev/null)" = "$1" ]
}

cluster --affinity none
for n in 1 2 3; do
	guest "$n" "setsid tt serve --id $n --listen '[::]:81' </dev/null >/run/serve.log 2>&1 &"
	check "host $n has another service" wait_until 30 guest "$n" grep -q serving /run/serve.log
done
client tt hold --to "$VIP:81" --from "$SOURCES" --count 60 --interval-ms 500 --setup-s 120 --end-s 120 \
	--until "$RUN/held.end" --ready "$RUN/held.ready" >"$RUN/held.json" &
HELD_PID=$!
defer touch "$RUN/held.end"
check "60 connections stand" wait_until 120 held 60
generation=$(shown 1 '.[0].generation')

freeze 1 2 3
run_for 3000
for n in 2 1 3; do
	thaw "$n"
	run_for 1000
done
began=$(now_ms)
check "all are members again" wait_agree 60 1 2 3
note "a cluster again $(($(now_ms) - began)) ms after the last one went on"
run_for 3000
note "$(($(shown 1 '.[0].generation') - generation)) changes of members"
requests 300 after "${patience[@]}"
same "all requests are answered" 300 "$(field after "r['answered']")"
check "by all hosts" [ "$(field after "len(r['hosts'])")" = 3 ]
held_end
# Each is owned by a host that is there still, and TCP repeats what was lost.
same "connections that broke" 0 "$(field held "r['broken']")"
for n in 1 2 3; do
	note "host $n: $(guest "$n" nlbadm history | tail -n 6 | paste -sd'|')"
done
