# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a guest's power is cut under load, and it returns
# topology: guests

# As in guests-cable: a guest that stands still for seconds is not one that refuses.
patience=(--timeout-ms 30000)

cluster --affinity single
requests 600 split --sources 600 "${patience[@]}"
for n in 1 2 3; do
	within "host $n's answers of 600" "$(field split "r['hosts'].get('$n', 0)")" 130 270
done
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"

load cut --sources 200 --interval-ms 10 "${patience[@]}"
run_for 3000
held_up=$(held_up_ms 1 3)
power_cut 2
wait_agree 30 1 3
run_for 3000
load_end cut
held_up=$(($(held_up_ms 1 3) - held_up))
note "the others waited for a processor for $held_up ms"
for n in 1 3; do
	same "failed requests of host $n's clients" 0 \
		"$(field cut "r['by_first_host']['$n']['failed']")"
done
# Real time, less what a busy machine took of it; the exact limit is measured by
# failover-counted.
within "gap of host 2's clients in ms" "$(field cut "r['by_first_host']['2']['gap_ms']")" 1 $((5000 + held_up))

boot 2 --affinity single
wait_agree 60 1 2 3
requests 600 back --sources 600 "${patience[@]}"
same "all answered after its return" 600 "$(field back "r['answered']")"
check "host 2 serves again" [ "$(field back "r['hosts'].get('2', 0)")" -gt 100 ]
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"
