# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: after a power cut the clients of the dead host are served within 1.4 s
# clock: counted
# timeout: 300
#
# Default heartbeats, 200 ms × 5. The clock counts instructions, so what else
# the machine does cannot change the result.

cluster 3 --affinity single
load cut --sources 150 --interval-ms 8 --timeout-ms 4000 --list /run/test/cut.list

# Each address has its host after one round of all of them.
served() {
	[ "$(($(now_ms) - began))" -ge 2000 ]
}
began=$(now_ms)
wait_until 30 served
crash 2
wait_agree 20 1 3
began=$(now_ms)
wait_until 30 served
load_end cut

groups=.by_first_host
check "host 2 had clients" [ "$(field cut "$groups.\"2\".requests")" -gt 50 ]
within "gap of host 2's clients in ms" "$(field cut "$groups.\"2\".gap_ms")" 200 1400
for id in 1 3; do
	same "failed requests of host $id's clients" 0 "$(field cut "$groups.\"$id\".failed")"
	same "repeated SYNs of host $id's clients" 0 "$(field cut "$groups.\"$id\".late")"
done
