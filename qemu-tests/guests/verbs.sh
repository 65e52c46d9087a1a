# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of scenarios with several guests. They run on the machine that runs
# the guests; each verb is a call of qemu-tests/lab on the lab in NLB_LAB_DIR.

VIP=10.0.0.10
SOURCES=10.1.0.0/16
VIRTUAL_MAC=03:bf:0a:00:00:0a

# An emulated guest on a busy machine stands still for a second now and then: its
# peers are right to replace it, and its connections end. What these scenarios are
# about is judged at a period that such a pause does not exceed; how fast the
# default is, is judged under a counted clock.
PERIOD=500ms

lab() {
	"$NLB_TESTS/lab" --dir "$NLB_LAB_DIR" "$@"
}

# guest N SCRIPT: run a bash script in host N.
guest() {
	local n=$1
	shift
	lab exec "$n" "$*"
}

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

power_cut() {
	lab cut "$1"
}

# boot N [OPTION…]: power on again, and join as before.
boot() {
	local n=$1
	shift
	lab boot "$n" --period "$PERIOD" "$@"
}

unplug() {
	lab unplug "$1"
}

plug() {
	lab plug "$1"
}

# shown N EXPRESSION: what jq makes of "nlbadm -j show" at host N. The guest has jq; this machine may not.
shown() {
	guest "$1" "nlbadm -j show eth0 | jq -r '$2'"
}

# relay N ID…: host N carries heartbeats to these hosts over the second network.
relay() {
	guest "$1" "setsid nlbadm relay eth0 $(relay_options "$@" | xargs) </dev/null >/run/relay.log 2>&1 &"
}

client() {
	lab client "$@"
}

# requests COUNT NAME [OPTION…]: connections to the VIP; the report is NAME.json.
requests() {
	local count=$1 name=$2
	shift 2
	client tt connect --to "$VIP:80" --from "$SOURCES" --count "$count" "$@" >"$RUN/$name.json"
	# A request that failed is explained by its kind, and by when it did.
	note "$name: $(cat "$RUN/$name.json")"
}

# load NAME [OPTION…]: requests until load_end NAME.
load() {
	local name=$1
	shift
	client tt connect --to "$VIP:80" --from "$SOURCES" --until "$RUN/$name.end" "$@" \
		>"$RUN/$name.json" &
	LOAD_PID=$!
	defer touch "$RUN/$name.end"
}

load_end() {
	touch "$RUN/$1.end"
	wait "$LOAD_PID"
	note "$1: $(cat "$RUN/$1.json")"
}

# run_for MS: let a load run for a while.
run_for() {
	local until=$(($(now_ms) + $1))
	while [ "$(now_ms)" -lt "$until" ]; do
		pause 0.1
	done
}

# held_up_ms N…: how long these hosts have waited for a processor since they were
# powered on, in ms: what other processes of this machine took from them.
held_up_ms() {
	local n
	for n in "$@"; do
		# For each thread of the emulator: nanoseconds that it ran, that it waited, and how often.
		cat "/proc/$(<"$NLB_LAB_DIR/host$n/pid")/task/"*/schedstat |
			awk '$2 > most { most = $2 } END { printf "%d\n", most / 1e6 }'
	done | awk '{ sum += $1 } END { print sum }'
}

# field NAME EXPRESSION: a value of a JSON report: a Python expression on "r".
field() {
	python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(eval(sys.argv[2], {"r": r}))' "$RUN/$1.json" "$2"
}

# neighbour: the MAC that the client has for the VIP.
neighbour() {
	client ip neigh show "$VIP" dev c0 | sed -n 's/.*lladdr \([^ ]*\).*/\1/p'
}
