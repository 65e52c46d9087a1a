# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: truncated and random frames of every EtherType: counted, no effect

cluster 3
before=$(generation h1)
heartbeat_mac=$(on h1 ip -j maddr show dev eth0 |
	jq -r '[.[].maddr[] | select(.family == null or .family == "link").address? // .link? | select(. != null)] | map(select(startswith("03:"))) | .[0] // "ff:ff:ff:ff:ff:ff"')
note "frames go to $VIRTUAL_MAC, ff:ff:ff:ff:ff:ff, $heartbeat_mac and host 1's own MAC"

# total NS: the sum of all counters there.
total() {
	adm "$1" -j counters eth0 --all | jq '[.counters[]] | add'
}
counted_before=$(total h1)

on c tt inject --dev eth0 --vip "$VIP" --truncated --random 6000 --seed 7 \
	--to-mac "$VIRTUAL_MAC" --to-mac ff:ff:ff:ff:ff:ff --to-mac "$heartbeat_mac" \
	--to-mac "$(host_mac 1)" >/run/test/inject.json
note "$(cat /run/test/inject.json)"
check "thousands of frames were sent" [ "$(field inject .sent)" -gt 6000 ]
check "frames were counted" [ "$(($(total h1) - counted_before))" -gt 1000 ]
adm h1 counters eth0

# Heartbeats of every length and content, many of them.
on c tt inject --dev eth0 --vip "$VIP" --random 3000 --seed 8 --ethertype 88b5 \
	--to-mac "$heartbeat_mac" >/run/test/beats.json
same "forged heartbeats sent" 3000 "$(field beats .sent)"

check "the same members" agree 1 2 3
same "the same generation" "$before" "$(generation h1)"
requests 300 after
same "all answered afterwards" 300 "$(field after .answered)"
same "by three hosts" 3 "$(field after '.hosts | length')"
