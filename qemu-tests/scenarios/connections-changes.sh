# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: 2,000 connections transfer through drains, weights, rules, a join, and two at once
# timeout: 900

# in_force COUNT ID…: so many rules are in force on these hosts, none waits.
in_force() {
	local count=$1 id
	shift
	for id in "$@"; do
		[ "$(adm "h$id" -j show eth0 | jq -c '.[0] | [.rules, .pending]')" = "[$count,null]" ] || return 1
	done
}

# new_host N: it joins; several at once in the background.
new_host() {
	add_host "$1"
	serve "$1"
}

cluster 3
hold 2000 2500
load busy --sources 200 --interval-ms 25 --timeout-ms 8000

adm h2 drain eth0
check "host 2 owns nothing while it drains" wait_until 20 buckets_are 1 2 0
steady 2600 true
adm h2 start eth0
check "host 2 owns its share again" wait_until 20 buckets_about 1365 1 2

adm h1 set --weight 10 eth0
check "host 1 owns less" wait_until 20 buckets_about 372 2 1
steady 2600 true
adm h1 set --weight 50 eth0

new_host 4
join 4
check "a fourth host joins" wait_agree 20 1 2 3 4
steady 2600 true

new_host 5
new_host 6
join 5 &
join 6 &
wait $!
check "two hosts join at once" wait_agree 30 1 2 3 4 5 6
steady 2600 true

# Another key for port 80, so every bucket moves.
cat >/run/test/rules.toml <<'END'
[[rule]]
ports = 80
affinity = "single"

[[rule]]
ports = 443
END
for i in 1 2 3 4 5 6; do
	adm "h$i" rules apply /run/test/rules.toml eth0
done
check "new rules are in force" wait_until 20 in_force 2 1 2 3 4 5 6
steady 5200 true

load_end busy
held_end
none_broken 2000
check "messages went all the time" [ "$(field held .messages)" -gt 8000 ]
same "failed new requests" 0 "$(field busy '.requests - .answered')"
