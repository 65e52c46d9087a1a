# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: whoever goes away says so: stop, down, and clusters removed while hosts serve
# clock: counted
# timeout: 300

cluster 3
watch 1

# farewells: from now on, heartbeats (kind 1) whose state is "stopped" (0).
background sw farewells tcpdump -i br0 -n -e -l "ether proto 0x88b5 and ether[19] = 1 and ether[58] = 0"
wait_until 10 logged_line farewells 'listening on'

# said N COUNT: whether host N has said farewell at least so often.
said() {
	[ "$(grep -c -- "$(host_mac "$1") >" /run/test/farewells.log)" -ge "$2" ]
}

# faster TEXT SINCE: the others had converged long before the silence that counts as death.
faster() {
	within "$1: converged after ms" "$(($(event_ms) - $2))" 0 500
}

began=$(wall_ms)
leave 3
converged 1 10 1 2
faster "down" "$began"
check "down: it has said farewell" wait_until 5 said 3 1
join 3
check "it is back" wait_agree 20 1 2 3

before=$(grep -c -- "$(host_mac 3) >" /run/test/farewells.log)
# Clusters that are removed without a stop have one frame left to say so.
for i in 1 2 3; do
	on "h$i" tt remove eth0
done
check "removed: host 1 has said farewell" wait_until 5 said 1 1
check "removed: host 2 has said farewell" wait_until 5 said 2 1
check "removed: host 3 has said farewell" wait_until 5 said 3 "$((before + 1))"
