# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Events of "nlbadm monitor", read as they come: cheaper than asking again and
# again, and each has its time.

declare -A WATCH=()

# watch N: read the events of host N from now on.
watch() {
	local n=$1 pipe=/run/test/watch$1.pipe fd
	mkfifo "$pipe"
	exec {fd}<>"$pipe"
	WATCH[$n]=$fd
	# shellcheck disable=SC2016 # $0 is the inner shell's
	background "h$n" "watch$n" bash -c 'exec nlbadm -j monitor eth0 >"$0"' "$pipe"
	wait_until 10 subscribed "h$n"
}

# subscribed NS: true if somebody there listens to a generic netlink group.
subscribed() {
	on "$1" awk '$2 == 16 && $4 !~ /^0*$/ { found = 1 } END { exit !found }' /proc/net/netlink
}

# next_event N SECONDS GLOB: the next event of host N that matches; EVENT is its
# line. Events before it are passed over.
next_event() {
	local n=$1 deadline left line=''
	deadline=$(($(wall_ms) + $2 * ${NLB_PATIENCE:-1} * 1000))
	while left=$((deadline - $(wall_ms))); [ "$left" -gt 0 ]; do
		printf -v left '%d.%03d' $((left / 1000)) $((left % 1000))
		IFS= read -r -t "$left" -u "${WATCH[$n]}" line || break
		# shellcheck disable=SC2053 # a pattern
		if [[ $line == $3 ]]; then
			EVENT=$line
			return 0
		fi
	done
	note "host $n: no event like $3"
	return 1
}

# forget_events N: pass over what has come so far.
forget_events() {
	while IFS= read -r -t 0.001 -u "${WATCH[$1]}" _; do :; done
}

# converged N SECONDS ID…: the next convergence seen by host N to exactly these
# members.
converged() {
	local n=$1 seconds=$2 members
	shift 2
	printf -v members '%s,' "$@"
	next_event "$n" "$seconds" "*\"event\":\"converged\"*\"members\":\[${members%,}\]*"
}

# wall_ms: the machine's clock of the day, in ms, as events have it.
wall_ms() {
	local now=$EPOCHREALTIME
	printf '%s\n' $((10#${now/./} / 1000))
}

# event_ms: when EVENT was heard, in ms, as wall_ms counts.
event_ms() {
	local time ms
	[[ $EVENT =~ \"time\":\"([^\"]*)\.([0-9]{3})Z\" ]]
	time=${BASH_REMATCH[1]} ms=${BASH_REMATCH[2]}
	printf '%s\n' "$(date -u -d "${time}Z" +%s)$ms"
}
