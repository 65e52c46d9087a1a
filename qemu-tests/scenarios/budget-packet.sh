# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a packet costs, in instructions over an empty hook
# clock: counted
# timeout: 300

cost_device
dropped=$(floor drop 10.99.0.10)
passed=$(floor accept 10.99.0.77)
note "an empty hook: $dropped to drop, $passed to let a foreign packet pass"

load_module
# A host that was never a member owns nothing, and no bucket of it ever moved.
nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --vip 10.99.0.10 --no-key --affinity none --stopped
defer nlbadm down "$COST_DEVICE"

drop=$(above "$(cost 10.99.0.10)" "$dropped")
foreign=$(above "$(cost 10.99.0.77)" "$passed")
# The guard against getting dearer: what it costs now, and 2 %. The aim is 200 and 40. Of what foreign traffic costs,
# some 180 are the hook in PRE_ROUTING that keeps packets for a VIP off the other interfaces.
within "not mine, UDP, over an empty hook" "$drop" 1 272
within "foreign traffic, over an empty hook" "$foreign" 1 229
same "counted as dropped" "$((2 * COST_PACKETS))" "$(nlbadm -j counters "$COST_DEVICE" --all | jq '.counters["dropped-not-owner"]')"
