# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a walk over full tables that is told to stop has stopped within a millisecond
# clock: counted
# timeout: 900
# long-timeout: 2000
#
# A host that drains until the last session has gone walks again and again. Its
# cluster is taken down in the middle of a walk; the kernel's tracer tells when the walk
# is told to stop, and when it ends. Nanoseconds are instructions.

SESSIONS=262144
CONNECTIONS=40000
ROUNDS=2
[ -z "${LONG:-}" ] || ROUNDS=10
TRACE=/sys/kernel/tracing
LIMIT_US=1000

# trace_walks: from now on, when work of nlb's in its own queue begins and ends.
trace_walks() {
	local event function
	function=$(awk '$4 == "[nlb]" && $3 ~ /^_R.*4work.*4Work.*6Walker.*8callback/ { print $1 }' /proc/kallsyms)
	[[ $function =~ ^[0-9a-f]+$ ]] || { fail "the function of walks: '$function'"; return 1; }
	[ -e "$TRACE/trace_pipe" ] || mount -t tracefs tracefs "$TRACE"
	echo mono >"$TRACE/trace_clock"
	for event in start end; do
		echo "function == 0x$function" >"$TRACE/events/workqueue/workqueue_execute_$event/filter"
		echo 1 >"$TRACE/events/workqueue/workqueue_execute_$event/enable"
	done
	defer eval "echo 0 >$TRACE/events/workqueue/enable"
	# A cluster's walks are told to stop just before its hooks are taken out.
	echo "p:told nf_unregister_net_hook" >"$TRACE/kprobe_events"
	defer eval "echo >$TRACE/kprobe_events"
	echo 1 >"$TRACE/events/kprobes/told/enable"
	defer eval "echo 0 >$TRACE/events/kprobes/told/enable"
}

# A walk that only looks whether it is wanted, or waits, is over before this sees it.
walk_is_on() {
	[[ $(tail -n 1 "$TRACE/trace") == *workqueue_execute_start* ]]
}

# us_after_told: how long the walk went on that was under way when tt set its mark and when
# it was told to stop, in microseconds; nothing if none was.
us_after_told() {
	awk '
		function us(time, parts) {
			split(time, parts, "[.:]")
			return parts[1] * 1000000 + parts[2]
		}
		/workqueue_execute_start/ { walks = 1 }
		/tracing_mark_write: removal begins/ { removes = 1 }
		/ told: / && removes && told == "" { told = us($4); walked = walks }
		/workqueue_execute_end/ {
			if (told != "") {
				if (walked) print us($4) - told
				exit
			}
			walks = 0
		}
	' "$TRACE/trace"
}

# stopped WHAT: the cluster is removed while a walk is under way. TOOK is how long the
# walk went on, in microseconds; nothing if it had ended by itself in the meantime.
stopped() {
	local removes
	coproc REMOVE { exec tt remove --wait --mark "$TRACE/trace_marker" "$COST_DEVICE" 2>&1; }
	removes=$REMOVE_PID
	echo >"$TRACE/trace"
	wait_until 60 walk_is_on || { fail "$1: a walk begins"; return 1; }
	echo >&"${REMOVE[1]}"
	# It returns when the walk has ended.
	wait "$removes" || { fail "$1: the cluster is removed"; return 1; }
	TOOK=$(us_after_told)
}

# rounds WHAT OPTION…: the longest of several.
rounds() {
	local what=$1 round=0 tries=0 worst=0 whole drains
	shift
	while ((round < ROUNDS && tries++ < 4 * ROUNDS)); do
		nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --vip "$COST_VIP" \
			--rules /run/test/tracked.toml --sessions-max "$SESSIONS" 2>/run/test/out
		cost_converged
		"$@"
		nlbadm drainstop "$COST_DEVICE" >/run/test/drainstop.log 2>&1 &
		drains=$!
		wait_until 60 walked
		whole=$(nlbadm -j show "$COST_DEVICE" | jq '.[0].walk_us')
		stopped "$what" || return
		# What it says of a cluster that is gone is not the question.
		wait "$drains" || :
		[ -n "$TOOK" ] || continue
		round=$((round + 1))
		note "$what, round $round: a whole walk takes $whole us, this one stopped after $TOOK us"
		check "$what, round $round: a whole walk takes longer" [ "$whole" -gt $((LIMIT_US * 4)) ]
		[ "$TOOK" -le "$worst" ] || worst=$TOOK
	done
	same "$what: walks that were under way when they were told to stop" "$ROUNDS" "$round"
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

tracking_device
trace_walks

rounds "a table of $SESSIONS sessions" full

# The kernel's own table: connections of all of the host are looked at.
ip addr replace "$COST_VIP/32" dev "$COST_DEVICE"
ip route replace 10.1.0.0/16 dev "$COST_DEVICE"
tt stand --to "$COST_VIP:80" --from 10.1.0.0/16 --count "$CONNECTIONS" --ready /run/test/stand.ready &
stands=$!
defer kill "$stands"
wait_until 60 [ -e /run/test/stand.ready ]
rounds "a table of $(<"/run/test/stand.ready") connections" true
