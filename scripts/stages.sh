# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Stages of a set-up, some at once, and what a person who waits sees of them: a
# line every few seconds that says what is under way and what is left to do.
# Source after lib.sh.

# Seconds between two such lines: never ten without one, on a busy machine too.
STAGE_TICK=8

STAGES=$(mktemp -d)

# stages_plan "NAME SECONDS TEXT"…: what is to come, in this order, each with
# the time that it takes on two processors where nothing is cached.
stages_plan() {
	local line
	for line in "$@"; do
		printf '%s\n' "$line"
	done >"$STAGES/plan"
	stage_ticker &
	STAGE_TICKER=$!
	trap stages_end EXIT
}

# stages_end: no more lines, and nothing left.
stages_end() {
	kill "$STAGE_TICKER" 2>/dev/null || :
	rm -rf -- "$STAGES"
}

# stage NAME CMD…: run one; what it prints on standard output is kept for
# stage_output NAME.
stage() {
	local name=$1
	shift
	date +%s >"$STAGES/$name.began"
	"$@" >"$STAGES/$name.out"
	: >"$STAGES/$name.ended"
}

# stage_output NAME: the last line that it printed.
stage_output() {
	tail -n 1 -- "$STAGES/$1.out"
}

# together CMD…: run shell functions at once; when one fails, end the others.
together() {
	local one pids=()
	trap 'stages_abort 143' TERM
	trap 'stages_abort 130' INT
	for one in "$@"; do
		(
			trap - INT TERM
			trap '[ $? = 0 ] || kill -TERM $$' EXIT
			"$one"
		) &
		pids+=($!)
	done
	wait "${pids[@]}" || stages_abort 1
	trap - TERM INT
}

# stages_abort CODE: end all that this script has started, and it.
stages_abort() {
	trap '' TERM INT
	end_children $$
	exit "$1"
}

# end_children PID: its children and theirs.
end_children() {
	local child
	for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		end_children "$child"
		kill -TERM "$child" 2>/dev/null || :
	done
}

# stage_line: what is under way, and what is to come.
stage_line() {
	local name seconds text now under=() later=()
	now=$(date +%s)
	while read -r name seconds text; do
		if [ -e "$STAGES/$name.ended" ]; then
			continue
		elif [ -s "$STAGES/$name.began" ]; then
			under+=("$text $((now - $(<"$STAGES/$name.began"))) of $seconds s")
		else
			later+=("$text")
		fi
	done <"$STAGES/plan"
	[ "${#under[@]}" != 0 ] || return 0
	say "… $(list "${under[@]}")${later[*]:+; to come: $(list "${later[@]}")}"
}

# list WORD…: with commas
list() {
	local text
	text=$(printf '%s, ' "$@")
	printf '%s' "${text%, }"
}

stage_ticker() {
	trap - EXIT
	exec </dev/null >&2
	while sleep "$STAGE_TICK" && [ -d "$STAGES" ]; do
		stage_line || :
	done
}
