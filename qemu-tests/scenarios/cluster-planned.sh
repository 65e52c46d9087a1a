# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: 10,000 connections over 100 planned changes: none answered twice, hardly a SYN repeated
# clock: counted
# timeout: 900
#
# Leaves, changes of weight and joins in turn, each agreed before the next, of
# each of four hosts in turn, so that none comes so often that it is held out
# as flapping. A change every half second, a connection every 5 ms: 50 s.

CHANGE_MS=500

cluster 4
watch 1
watch 4
capture wire sw pc "tcp port 80"
load busy --interval-ms 5 --timeout-ms 8000

# others N: the hosts but N.
others() {
	local id
	for id in 1 2 3 4; do
		[ "$id" = "$1" ] || printf '%s ' "$id"
	done
}

# paced: the next change is due half a second after the last.
paced() {
	local left
	changes=$((changes + 1))
	left=$((began + changes * CHANGE_MS - $(wall_ms)))
	[ "$left" -le 0 ] || pause "$((left / 1000)).$(printf '%03d' $((left % 1000)))"
}

# seen_by N: a host that sees what N does.
seen_by() {
	if [ "$1" = 1 ]; then echo 4; else echo 1; fi
}

# drained N: host N takes nothing new, and what it had begun is done.
drained() {
	[ "$(adm "h$1" -j show eth0 | jq '.[0].buckets_owned')" = 0 ] &&
		[ -z "$(on "h$1" ss -Htn state established state syn-recv src "$VIP")" ]
}

began=$(wall_ms)
changes=0
for ((round = 0; round < 25; round++)); do
	n=$((round % 4 + 1))
	eye=$(seen_by "$n")
	forget_events "$eye"
	# To stop ends the sessions that a host still has, so it is drained first, as the README says.
	adm "h$n" drain eth0
	wait_until 10 drained "$n"
	adm "h$n" stop eth0
	# shellcheck disable=SC2046
	converged "$eye" 10 $(others "$n")
	paced
	m=$((n % 4 + 1))
	adm "h$m" set --weight 20 eth0
	# shellcheck disable=SC2046
	converged "$eye" 10 $(others "$n")
	paced
	adm "h$n" start eth0
	converged "$eye" 10 1 2 3 4
	paced
	adm "h$m" set --weight 50 eth0
	converged "$eye" 10 1 2 3 4
	paced
done

same "changes agreed on" 100 "$changes"
note "in $(($(wall_ms) - began)) ms"
load_end busy
capture_end wire
note "$(field wire 'del(.sources, .bindings)')"
check "connections" [ "$(field busy .requests)" -ge 9900 ]
same "failed" 0 "$(field busy '.requests - .answered')"
same "SYNs answered by two hosts" 0 "$(field wire .answered_twice)"
within "SYNs repeated" "$(field wire '.syn_frames - .syn')" 0 5
no_reset wire "resets"
check "each host answered" [ "$(field busy '.hosts | length')" = 4 ]
