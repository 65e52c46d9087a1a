# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Results of a scenario, as KTAP lines on descriptor 4; what it prints else is
# a log for people.

KTAP_NUMBER=0
KTAP_FAILED=0

# note TEXT…: a line for people.
note() {
	printf '# %s\n' "$*"
}

# result LINE…: to the results and, for people, to the log. (The results'
# device can be opened once only, so no "tee /dev/fd/4".)
result() {
	printf '%s\n' "$*"
	printf '%s\n' "$*" >&4
}

# pass TEXT…, fail TEXT…: one result.
pass() {
	KTAP_NUMBER=$((KTAP_NUMBER + 1))
	result "ok $KTAP_NUMBER $*"
}

fail() {
	KTAP_NUMBER=$((KTAP_NUMBER + 1))
	KTAP_FAILED=$((KTAP_FAILED + 1))
	result "not ok $KTAP_NUMBER $*"
}

# check TEXT CMD…: a result by whether CMD succeeds. CMD may be a test with
# its operands: check "one reset" [ "$n" = 1 ].
check() {
	local text=$1
	shift
	if "$@"; then
		pass "$text"
	else
		fail "$text: failed: $*"
	fi
}

# not CMD…: for checks that something is not so.
not() {
	! "$@"
}

# within TEXT VALUE LOW HIGH: a result by whether a decimal number is in a range.
within() {
	if awk -v v="$2" -v l="$3" -v h="$4" 'BEGIN { exit !(v != "" && v + 0 >= l && v + 0 <= h) }'; then
		pass "$1: $2 in $3..$4"
	else
		fail "$1: $2 not in $3..$4"
	fi
}

# same TEXT WANT GOT: a result by whether two texts are equal.
same() {
	if [ "$2" = "$3" ]; then
		pass "$1: $3"
	else
		fail "$1: wanted '$2', got '$3'"
	fi
}

# Clean-up, last registered first, whatever happened before.
DEFERRED=()

# defer CMD…: run CMD when the scenario ends.
defer() {
	DEFERRED+=("$(printf '%q ' "$@")")
}

run_deferred() {
	local i
	for ((i = ${#DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${DEFERRED[i]}" || :
	done
	DEFERRED=()
}

# A descriptor that never has anything to read: a pause without a process.
exec {TICK}<> <(:)

# pause SECONDS: for polling loops and paced events only; to wait for
# something, use wait_until.
pause() {
	read -r -t "$1" -u "$TICK" || :
}

# now_ms: the machine's monotonic clock, in ms (it has steps of 10).
now_ms() {
	local up _
	read -r up _ </proc/uptime
	up=${up/./}
	printf '%s\n' "$((10#$up * 10))"
}

# wait_until SECONDS CMD…: until CMD succeeds; fails when it does not in time.
# A slow kernel (the debug kernel) gets a multiple of the time.
wait_until() {
	local deadline
	deadline=$(($(now_ms) + $1 * ${NLB_PATIENCE:-1} * 1000))
	shift
	until "$@"; do
		if [ "$(now_ms)" -ge "$deadline" ]; then
			note "waited in vain: $*"
			return 1
		fi
		pause 0.05
	done
}

# scenario_main FILE: run a scenario with results on descriptor 4. Whatever
# ends it early leaves the plan unwritten, and a missing plan is a failure.
scenario_main() {
	set -eEuo pipefail
	trap 'run_deferred' EXIT
	trap 'trap - ERR; set +e; fail "stopped at ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"; exit 1' ERR
	trap 'exit 1' INT TERM
	# shellcheck disable=SC1090
	. "$1"
	trap - ERR
	set +e
	run_deferred
	if declare -F scenario_after >/dev/null; then
		scenario_after
	fi
	printf '1..%s\n' "$KTAP_NUMBER" >&4
	[ "$KTAP_FAILED" = 0 ]
}
