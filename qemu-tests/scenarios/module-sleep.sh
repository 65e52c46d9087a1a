# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a machine that sleeps lets go of all it owns before, and takes it back when it has woken up
# clock: real
# timeout: 300
#
# All hosts of this guest sleep together, so what counts is what each one says
# of itself. Nothing wakes an emulated machine up, so it tries to hibernate
# without a place for its memory: all devices are stopped and an image is made,
# which cannot be kept, and the machine goes on.

cluster 2
requests 100 before
same "all answered before" 100 "$(field before .answered)"

# changes N GENERATION: why host N's view has changed since that one, newest first.
changes() {
	adm "h$1" -j history eth0 | jq -r --argjson since "$2" '[.history[] | select(.generation > $since) | .cause] | join(" ")'
}

for i in 1 2; do
	background "h$i" "events$i" nlbadm -j monitor eth0
	wait_until 10 subscribed "h$i"
done
hibernate() {
	echo disk >/sys/power/state
}
told() {
	grep -q '"out_reason":"interface-cut"' "/run/test/events$1.log"
}
for round in 1 2 3; do
	generation=$(generation h1)
	check "round $round: the machine cannot hibernate" not hibernate
	check "round $round: the hosts are one cluster again" wait_agree 30 1 2
	for i in 1 2; do
		check "round $round: host $i had let go of everything" wait_until 10 told "$i"
		note "host $i: $(changes "$i" "$generation")"
		: >"/run/test/events$i.log"
	done
	requests 100 after
	same "round $round: all answered after" 100 "$(field after .answered)"
done
