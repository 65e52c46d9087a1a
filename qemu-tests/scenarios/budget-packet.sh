# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a packet costs, in instructions over an empty hook
# clock: counted
# timeout: 300
#
# The committed budgets, at 64 rules and 8 VIPs: what was reached, and some
# instructions for another compiler's taste. They are the same on every machine;
# docs/cost.md says where they go.

# Connection tracking is looked at where it is loaded, which an earlier scenario
# may have done. What is measured is a host without.
check "connection tracking is not loaded" wait_until 20 without nf_conntrack
cost_device
declare -A base
for family in 4 6; do
	base[drop$family]=$(floor drop udp "$family")
	base[accept$family]=$(floor accept udp "$family")
done
note "an empty hook: ${base[drop4]} to drop, ${base[accept4]} to accept, with a hook behind it that drops"

load_module

# A host that was never a member owns nothing, and no bucket of it ever moved.
cost_up 64 8 --stopped
for case in udp tcp-data tcp-syn; do
	within "not mine, $case" "$(above "$(cost $case)" "${base[drop4]}")" 1 160
	within "not mine, $case, IPv6" "$(above "$(cost $case 6)" "${base[drop6]}")" 1 225
done
within "foreign traffic" "$(above "$(passed foreign)" "${base[accept4]}")" 1 35
within "foreign traffic, IPv6" "$(above "$(passed foreign 6)" "${base[accept6]}")" 1 65
many=$(cost udp)
# Each packet was counted, and as what it is.
counted() {
	nlbadm -j counters "$1" --all | jq ".counters[\"$2\"]"
}
before=$(counted "$COST_DEVICE" dropped-not-owner)
fire "$COST_DEVICE" rx 3200 "$(frame udp 4)" >/dev/null
same "counted as dropped" 3200 "$(($(counted "$COST_DEVICE" dropped-not-owner) - before))"
cost_down
cost_up 1 1 --stopped
within "64 rules and 8 VIPs over 1 and 1" "$(above "$many" "$(cost udp)")" -10 10
cost_down
cost_up 64 64 --stopped
within "64 VIPs over 8" "$(above "$(cost udp)" "$many")" -10 10
cost_down

# A host by itself owns everything.
cost_up 64 8
cost_converged
data=$(above "$(passed tcp-data)" "${base[accept4]}")
within "mine, tcp-data" "$data" 1 190
# Those that ask for an answer are counted once more.
for case in udp tcp-syn; do
	within "mine, $case, over tcp-data" "$(above "$(above "$(passed $case)" "${base[accept4]}")" "$data")" 1 20
done
cost_down

moved_device
within "moved, second chance miss" "$(above "$(cost_of moved0 rx "$MOVED_MISS")" "${base[drop4]}")" 1 410
check "counted as without a session" [ "$(counted moved0 dropped-no-session)" -ge "$COST_PACKETS" ]
hit=$(with_hook moved0 first=0 backstop=1 -- cost_of moved0 rx "$MOVED_HIT")
note "moved, second chance hit: $(above "$hit" "${base[accept4]}")"
check "counted as residual" [ "$(counted moved0 accepted-residual)" -ge "$COST_PACKETS" ]
