# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a walk over full tables that is told to stop has stopped within a millisecond
# clock: counted
# timeout: 400
#
# A host that drains until the last session has gone walks again and again. Its
# cluster is taken down in the middle of a walk; the kernel's tracer tells when the
# walk ends, and tt when it asks for the cluster's end. Nanoseconds are instructions.

SESSIONS=262144
CONNECTIONS=40000
ROUNDS=5
TRACE=/sys/kernel/tracing
# The walk is told to stop once the request has been read and the RTNL taken.
LIMIT_US=1000

# trace_walks: from now on, when work of nlb's in its own queue begins and ends.
trace_walks() {
	local event function
	function=$(awk '$4 == "[nlb]" && $3 ~ /^_R.*4work.*4Work.*8callback/ { print $1 }' /proc/kallsyms)
	[[ $function =~ ^[0-9a-f]+$ ]] || { fail "the function of walks: '$function'"; return 1; }
	[ -e "$TRACE/trace_pipe" ] || mount -t tracefs tracefs "$TRACE"
	echo mono >"$TRACE/trace_clock"
	for event in start end; do
		echo "function == 0x$function" >"$TRACE/events/workqueue/workqueue_execute_$event/filter"
		echo 1 >"$TRACE/events/workqueue/workqueue_execute_$event/enable"
	done
	defer eval "echo 0 >$TRACE/events/workqueue/enable"
}

# us LINE: the time of a line of the tracer, in microseconds.
us() {
	[[ $1 =~ \ ([0-9]+)\.([0-9]{6}):\  ]]
	echo $((BASH_REMATCH[1] * 1000000 + 10#${BASH_REMATCH[2]}))
}

# walking: waits for a walk, which is work that goes on for more than a moment.
walking() {
	local line
	while IFS= read -r -t 60 line <&"$PIPE"; do
		[[ $line == *workqueue_execute_start* ]] || continue
		# It ends at once where it only looks whether a walk is wanted, or waits.
		IFS= read -r -t 0.002 line <&"$PIPE" || return 0
	done
	return 1
}

# stopped WHAT: the cluster is removed while a walk is under way; TOOK is how long
# the walk went on, in microseconds.
stopped() {
	local line told='' ended='' reads removes
	coproc REMOVE { exec tt remove --wait --mark "$TRACE/trace_marker" "$COST_DEVICE" 2>&1; }
	removes=$REMOVE_PID
	echo >"$TRACE/trace"
	# The tracer's own pipe says that it is empty when it has a part of a line left.
	exec {PIPE}< <(exec cat "$TRACE/trace_pipe")
	reads=$!
	walking || { fail "$1: a walk begins"; return 1; }
	echo >&"${REMOVE[1]}"
	while [ -z "$ended" ] && IFS= read -r -t 20 line <&"$PIPE"; do
		case $line in
		*"tracing_mark_write: removal begins"*) told=$(us "$line") ;;
		*workqueue_execute_end*) ended=$(us "$line") ;;
		esac
	done
	kill "$reads"
	exec {PIPE}<&-
	wait "$removes" || :
	[ -n "$told" ] && [ -n "$ended" ] || { fail "$1: seen: told at '$told', ended at '$ended'"; return 1; }
	TOOK=$((ended - told))
}

# rounds WHAT OPTION…: the longest of several.
rounds() {
	local what=$1 round worst=0 whole drains
	shift
	for ((round = 1; round <= ROUNDS; round++)); do
		nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --vip "$COST_VIP" \
			--rules /run/test/tracked.toml --sessions-max "$SESSIONS" 2>/run/test/out
		cost_converged
		"$@"
		nlbadm drainstop "$COST_DEVICE" >/run/test/drainstop.log 2>&1 &
		drains=$!
		wait_until 60 walked
		whole=$(nlbadm -j show "$COST_DEVICE" | jq '.[0].walk_us')
		note "$what, round $round: a whole walk: $whole us, $(nlbadm -j show "$COST_DEVICE" | jq -c '.[0] | {sessions, walk_found, walk_seen}')"
		stopped "$what, round $round" || return
		# What it says of a cluster that is gone is not the question.
		wait "$drains" || :
		note "$what, round $round: stopped after $TOOK us"
		check "$what, round $round: the walk was under way: a whole one takes longer" [ "$whole" -gt $((LIMIT_US * 4)) ]
		[ "$TOOK" -le "$worst" ] || worst=$TOOK
	done
	within "$what: longest time until a walk has stopped, in us" "$worst" 1 "$LIMIT_US"
}

walked() {
	[ "$(nlbadm -j show "$COST_DEVICE" | jq '.[0].walk_us // 0')" -gt 0 ]
}

# full: datagrams of so many clients that the table of sessions is full.
full() {
	wait_until 60 filled
}
filled() {
	fire "$COST_DEVICE" rx $((SESSIONS * 2)) "$(frame udp 4)" >/dev/null
	[ "$(nlbadm -j counters "$COST_DEVICE" --all | jq '.counters["session-no-room"]')" -gt 0 ]
}

cost_device
# shellcheck disable=SC2034
COST_BURST=1
printf '[[rule]]\nports = "0-65535"\naffinity = "none"\ntrack = "on"\n' >/run/test/tracked.toml
load_module
# What passes is not to reach the stack.
insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
defer rmmod empty_hook
trace_walks

rounds "a table of $SESSIONS sessions" full

# The kernel's own table: connections of all of the host are looked at.
ip addr add "$COST_VIP/32" dev "$COST_DEVICE"
tt stand --to "$COST_VIP:80" --from 10.1.0.0/16 --count "$CONNECTIONS" --ready /run/test/stand.ready &
stands=$!
defer kill "$stands"
wait_until 60 [ -e /run/test/stand.ready ]
rounds "a table of $(<"/run/test/stand.ready") connections" true
