# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a machine that slept is in order before it serves: hosts let go before, and take part anew after
# kernel: debug
# timeout: 900
#
# The kernel's own test of sleep (pm_test), at the level "freezer": the module is
# told, processes are frozen for five seconds, and the module is told again. At
# deeper levels the emulator's consoles, by which this test is told, do not wake.

# waits: how often a test of sleep has come to its last step.
waits() {
	dmesg | grep -c 'suspend debug: Waiting for' || :
}

# sleep_once: goes to sleep, and wakes up.
sleep_once() {
	local before
	before=$(waits)
	echo freezer >/sys/power/pm_test
	check "the machine sleeps and wakes up" eval 'echo mem >/sys/power/state'
	same "it came as far as that" $((before + 1)) "$(waits)"
}

# told N: the events of host N so far are in /run/test/eventsN.
told() {
	local line
	while IFS= read -r -t 5 -u "${WATCH[$1]}" line; do
		printf '%s\n' "$line"
	done >"/run/test/events$1"
	note "host $1: $(jq -r '"\(.event) \(.state) \(.out_reason) \(.generation)"' "/run/test/events$1" | paste -sd,)"
}

# in_order ROUND GENERATION: what hosts did, and that they serve.
in_order() {
	local n
	check "$1: the hosts agree on a new generation" wait_until 60 newer "$2"
	for n in 1 2; do
		told "$n"
		check "$1: host $n let go before the machine slept" grep -q '"out_reason":"interface-cut"' "/run/test/events$n"
	done
	requests 100 "after-$1"
	same "$1: all are answered" 100 "$(field "after-$1" .answered)"
}

# newer GENERATION
newer() {
	agree 1 2 && [ "$(generation h1)" -gt "$1" ]
}

cluster 2
watch 1
watch 2
for round in 1 2 3; do
	generation=$(generation h1)
	sleep_once
	in_order "round $round" "$generation"
done
