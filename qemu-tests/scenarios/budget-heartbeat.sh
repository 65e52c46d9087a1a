# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a heartbeat costs whoever receives it, by the size of the cluster
# clock: counted
# timeout: 600
#
# In instructions over an empty hook, from there to the verdict: 5000, and 2200
# for each SHA-256 block of the frame.

heartbeat_device
load_module
for size in 3 8 32 64; do
	cost=$(heartbeat_cost "$size")
	note "$size hosts: $(jq -c . "/run/test/heartbeat$size.json")"
	blocks=$(field "heartbeat$size" .blocks)
	within "a heartbeat of $blocks blocks received and verified at $size hosts, in instructions" \
		"$cost" "$((blocks * 500))" "$((5000 + 2200 * blocks))"
	check "$size hosts: all heartbeats of the bursts were accepted" \
		[ "$(field "heartbeat$size" .accepted)" -ge "$((4 * $(field "heartbeat$size" .frames)))" ]
done
# At the default timing each of 32 hosts receives 31 heartbeats in each of the
# five periods of a second; a second is 10^9 instructions. Of half a percent this
# leaves the tenth for the five that it sends, which cost less than 100,000 each
# (cluster-cost).
share=$(jq '.ns * 31 * 5 / 1e9 * 100 * 1000 | round / 1000' /run/test/heartbeat32.json)
within "percent of a CPU for the heartbeats received by a host of 32" "$share" 0 0.45
