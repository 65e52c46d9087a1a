# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a host dies: only its own connections end, by a reset, as soon as they speak
# clock: counted
# timeout: 600
#
# Default heartbeats, 200 ms × 5: failover within 1.4 s. A client repeats what is
# not acknowledged in steps that double, so it has spoken again, and been reset
# by the new owner, within twice that and a bit; 500 ms here.

failover_ms=1400

cluster 3
hold 450 400 --quiet 150
load busy --sources 200 --interval-ms 25 --timeout-ms 8000
steady 1500 true

order mark
crash 2
wait_agree 20 1 3
steady $((2 * failover_ms + 500)) true
# Who only receives has not noticed; its next segment is answered by a reset.
order speak
steady 1500 true
load_end busy
held_end

same "connections of hosts 1 and 3 that broke" "0 0" \
	"$(field held '[.hosts, .quiet] | map([."1".broken, ."3".broken] | add) | join(" ")')"
check "host 2 had connections" [ "$(field held '.hosts."2".connections')" -gt 50 ]
same "those of host 2 that spoke ended" "$(field held '.hosts."2".connections')" "$(field held '.hosts."2".broken')"
same "and those that spoke later" "$(field held '.quiet."2".connections')" "$(field held '.quiet."2".broken')"
same "by a reset" '["reset"]' "$(field held '.causes | keys' | jq -c .)"
within "first and last reset in ms: none before the failover" "$(field held '.hosts."2".first_break_ms')" \
	600 "$failover_ms"
within "the last of them" "$(field held '.hosts."2".last_break_ms')" 600 $((2 * failover_ms + 500))
within "a receiver, from its next segment to the first reset in ms" "$(field held '.quiet."2".first_break_ms')" 0 500
within "to the last one" "$(field held '.quiet."2".last_break_ms')" 0 500
same "SYNs that two hosts answered" 0 "$(field wire .answered_twice)"
within "new requests that waited, in ms" "$(field busy .gap_ms)" 0 "$failover_ms"
