# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of all scenarios with several guests: their power and cables, and the
# client. They run on the machine that runs the guests; each is a call of
# qemu-tests/lab on the lab in NLB_LAB_DIR. VIP and SOURCES are set by the file
# that has the verbs of the scenario's kind of guests.

lab() {
	"$NLB_TESTS/lab" --dir "$NLB_LAB_DIR" "$@"
}

# guest N SCRIPT: run a bash script in host N.
guest() {
	local n=$1
	shift
	lab exec "$n" "$*"
}

power_cut() {
	lab cut "$1"
}

# snapshot N: save host N with its memory; it stands still meanwhile.
snapshot() {
	lab snapshot "$1"
}

# revert N [told]: set it back to that; the machine tells it so, or does not.
revert() {
	lab revert "$@"
}

unplug() {
	lab unplug "$1"
}

plug() {
	lab plug "$1"
}

# freeze N…: these machines stand still, as in a storage stall; thaw N: it goes on.
freeze() {
	local n
	for n in "$@"; do
		lab freeze "$n"
	done
}

thaw() {
	lab thaw "$1"
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
