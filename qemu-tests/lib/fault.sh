# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Allocations that fail on request, on the debug kernel only, and only those
# that nlb asks for: the stack of the call must have the module's text in it.

FAULTS="/sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc"

# fault_scope: from now on only the loaded module's allocations can fail, and
# none does. A scenario that uses faults ends with none.
fault_scope() {
	local dir range
	range=$(awk '$2 ~ /^[tT]$/ && $4 == "[nlb]" { print $1 }' /proc/kallsyms | sort | sed -n '1p;$p')
	[ -n "$range" ]
	for dir in $FAULTS; do
		echo N >"$dir/ignore-gfp-wait"
		echo 0 >"$dir/probability"
		echo -1 >"$dir/times"
		echo 1 >"$dir/verbose"
		echo "0x$(head -n 1 <<<"$range")" >"$dir/require-start"
		# The last symbol begins there; it is a small one.
		printf '0x%x\n' "$((0x$(tail -n 1 <<<"$range") + 4096))" >"$dir/require-end"
	done
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
	defer fault_rate 0
}

# fault_rate PERCENT: so many of the module's allocations fail, in any context.
fault_rate() {
	local dir
	for dir in $FAULTS; do
		echo "$1" >"$dir/probability"
	done
}

# faults: how many allocations have been made to fail since the guest booted.
faults() {
	dmesg | grep -c 'FAULT_INJECTION: forcing a failure' || :
}

# with_fault N NS CMD…: run CMD in a namespace; the Nth allocation that nlb
# makes for it fails.
with_fault() {
	local n=$1 ns=$2
	shift 2
	# shellcheck disable=SC2016
	on "$ns" bash -c 'echo "$0" >/proc/self/fail-nth && exec "$@"' "$n" "$@"
}

# fail_each AFTER NS CMD…: run CMD once for each allocation of nlb's that it
# causes, which fails, and AFTER with the exit code each time. FAILED_ALLOCATIONS
# is then how many there were. Allocations that fail without a message are
# possible, so a few silent ones in a row are the end.
fail_each() {
	local after=$1 ns=$2 n code before silent=0
	shift 2
	FAILED_ALLOCATIONS=0
	for ((n = 1; silent < 6; n++)); do
		before=$(faults)
		code=0
		with_fault "$n" "$ns" "$@" >/run/test/out 2>&1 || code=$?
		if [ "$(faults)" -gt "$before" ]; then
			FAILED_ALLOCATIONS=$((FAILED_ALLOCATIONS + 1))
			silent=0
		else
			silent=$((silent + 1))
		fi
		note "${*:1:2}: allocation $n, faults $(faults), exit code $code: $(head -n 1 /run/test/out)"
		"$after" "$code"
	done
}
