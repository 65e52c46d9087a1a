# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: with heartbeats every 10 ms, 3 missed, fail-over takes at most 50 ms
# clock: counted
# timeout: 300

cluster 3 --affinity single --period 10ms --tolerance 3
load cut --sources 60 --interval-ms 3 --timeout-ms 3000
steady 1000 true
crash 2
wait_agree 20 1 3
steady 1000 true
load_end cut

within "gap of host 2's clients in ms" "$(field cut '.by_first_host."2".gap_ms')" 5 50
for id in 1 3; do
	same "failed requests of host $id's clients" 0 "$(field cut ".by_first_host.\"$id\".failed")"
	same "repeated SYNs of host $id's clients" 0 "$(field cut ".by_first_host.\"$id\".late")"
done
