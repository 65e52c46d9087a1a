# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of scenarios with several guests of our own initial file system, beside
# those of segment.sh.

VIP=10.0.0.10
SOURCES=10.1.0.0/16
VIRTUAL_MAC=03:bf:0a:00:00:0a

# An emulated guest on a busy machine stands still for a second now and then: its
# peers are right to replace it, and its connections end. What these scenarios are
# about is judged at a period that such a pause does not exceed; how fast the
# default is, is judged under a counted clock.
PERIOD=500ms

# join N [OPTION…]: load the module, take part.
join() {
	local n=$1
	shift
	lab join "$n" --period "$PERIOD" "$@"
}

# cluster [OPTION…]: all three hosts joined and converged.
cluster() {
	local n
	for n in 1 2 3; do
		join "$n" "$@"
	done
	wait_agree 60 1 2 3
}

# wait_agree SECONDS ID…: until all these hosts see exactly these members.
wait_agree() {
	local seconds=$1 n
	shift
	for n in "$@"; do
		wait_members "$n" "$seconds" "$@" || return 1
	done
}

# wait_members N SECONDS ID…: until host N sees exactly these members.
wait_members() {
	local n=$1
	shift
	guest "$n" "/nlb/lab-host wait-members $*"
}

# boot N [OPTION…]: power on again, and join as before.
boot() {
	local n=$1
	shift
	lab boot "$n" --period "$PERIOD" "$@"
}

# shown N EXPRESSION: what jq makes of "nlbadm -j show" at host N. The guest has jq; this machine may not.
shown() {
	guest "$1" "nlbadm -j show eth0 | jq -r '$2'"
}

# relay N ID…: host N carries heartbeats to these hosts over the second network.
relay() {
	guest "$1" "setsid nlbadm relay eth0 $(relay_options "$@" | xargs) </dev/null >/run/relay.log 2>&1 &"
}
