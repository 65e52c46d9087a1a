# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: exactly one SYN-ACK for each SYN, and an even split
#
# Counted in a capture on the switch's port of the client, to which every
# host's answers go.

cluster 3
capture wire sw pc "tcp port 80"
requests 3000 split --sources 600
capture_end wire
note "$(cat /run/test/split.json)"

same "all answered" 3000 "$(field split .answered)"
same "SYNs on the wire" 3000 "$(field wire .syn)"
same "none unanswered" 0 "$(field wire .unanswered)"
same "none answered by two hosts" 0 "$(field wire .answered_twice)"
same "as many SYN-ACK frames as SYN frames" "$(field wire .syn_frames)" "$(field wire .synack_frames)"
no_reset wire "no reset"
for id in 1 2 3; do
	within "share of host $id in percent" "$(share split "$id")" 30.3 36.3
done
