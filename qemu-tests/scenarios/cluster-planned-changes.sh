# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: 10,000 connections over 100 planned changes: none answered twice, hardly a SYN repeated
# clock: counted
# timeout: 600
#
# Joins, leaves and changes of weight, in turn, each converged before the next.

cluster 3
capture wire sw pc "tcp port 80"
load busy --sources 250 --interval-ms 5 --timeout-ms 8000

weight() {
	[ "$(adm "h$1" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $2).weight")" = "$3" ]
}

# Ten thousand connections take 50 s at that pace: changes go on until both
# numbers are reached.
began=$(now_ms)
changes=0
while [ "$changes" -lt 100 ] || [ "$(($(now_ms) - began))" -lt 51000 ]; do
	adm h3 stop eth0
	wait_agree 10 1 2
	adm h3 start eth0
	wait_agree 10 1 2 3
	adm h2 set --weight 20 eth0
	wait_until 10 weight 1 2 20
	adm h2 set --weight 50 eth0
	wait_until 10 weight 1 2 50
	changes=$((changes + 4))
done

load_end busy
capture_end wire
note "$(field wire 'del(.sources, .bindings)')"
check "changes: $changes" [ "$changes" -ge 100 ]
check "connections" [ "$(field busy .requests)" -ge 10000 ]
same "failed" 0 "$(field busy '.requests - .answered')"
same "SYNs answered by two hosts" 0 "$(field wire .answered_twice)"
within "SYNs repeated" "$(field wire '.syn_frames - .syn')" 0 5
same "resets" 0 "$(field wire .rst)"
