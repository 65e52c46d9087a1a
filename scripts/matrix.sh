#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the module for each stock kernel, boot that kernel and run some scenarios on it: matrix.sh [RELEASE…]
# Without a release it takes the newest of each series and flavour that Debian's archive has; ALL=1 takes every
# one. A release is whatever NLB_KERNEL may be (kernel-release.sh), so a new kernel is tried by
#   make matrix KERNELS=7.4
# which says what broke: the metadata, the compiler, a symbol, the boot, a scenario. Rows of the table in
# docs/kernels.md are renewed for the kernels that were tried. Logs are in build/matrix/RELEASE/. The last line is
# "N passed, N failed": builds and results of scenarios.

. "$(dirname "$0")/lib.sh"
cd "$NLB_ROOT"

# What of nlb depends on the kernel most: several guests, packets and their verdicts, sockets and connection
# tracking, every operation, load and unload.
SCENARIOS="lab-segment cluster-keys connections-conntrack module-cycle ynl"

results=$NLB_ROOT/build/matrix
page=docs/kernels.md

# row RELEASE COLUMN…: the line of a release in the table.
row() {
	local release=$1
	shift
	printf '| `%s` |' "$release"
	printf ' %s |' "$@"
	printf '\n'
}

# compiler RELEASE: the Rust that built a kernel, "1.85.1".
compiler() {
	sed -nE 's/^CONFIG_RUSTC_VERSION_TEXT="rustc ([0-9.]+) .*/\1/p' "$NLB_CACHE/kernels/$1/headers/.config"
}

# cause LOG: the line of a build's log that says what broke.
cause() {
	grep -m 1 -E '^(error|nlb:|ERROR:)' "$1" || tail -n 1 "$1"
}

# try RELEASE: one kernel; its row is in the file of that name.
try() {
	local release=$1 dir=$results/$1 began=$SECONDS p=0 f=1 rust symbols
	mkdir -p "$dir"
	export NLB_KERNEL=$release
	if ! logged "$dir/build.log" scripts/build-module.sh; then
		row "$release" - "**not built**: $(cause "$dir/build.log")" - "$(date +%F)" >"$dir/row"
		failed=$((failed + 1))
		return
	fi
	passed=$((passed + 1))
	rust=$(compiler "$release")
	symbols=$(sed -nE 's/^symbols: ([0-9]+) of .*/\1/p' "$dir/build.log")
	say "$release: the module is built ($symbols symbols); scenarios…"
	# shellcheck disable=SC2086
	NLB_TEST_DIR=$dir qemu-tests/run $SCENARIOS >"$dir/run.log" 2>&1 || :
	read -r p f < <(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$dir/run.log") || :
	passed=$((passed + p))
	failed=$((failed + f))
	if [ "$f" = 0 ]; then
		row "$release" "$rust" "$symbols symbols" "$p passed" "$(date +%F)" >"$dir/row"
	else
		grep -E '^(\[ *[0-9]+s\] +)?(FAILED|not ok)' "$dir/run.log" | head -n 20 >&2 || tail -n 20 "$dir/run.log" >&2
		row "$release" "$rust" "$symbols symbols" "**$p passed, $f failed**" "$(date +%F)" >"$dir/row"
	fi
	say "$release: $p passed, $f failed, $((SECONDS - began)) s"
}

# renew: put the new rows into the page, newest kernel first; others stay as they are.
renew() {
	local begin='<!-- make matrix: -->' end='<!-- end -->'
	{
		sed "/^$begin\$/q" "$page"
		printf '| kernel | its Rust | module | short tests | tried |\n|---|---|---|---|---|\n'
		{
			sed -n "/^$begin\$/,/^$end\$/p" "$page" | grep '^| `' | awk -F '`' '
				BEGIN { while ((getline line < "'"$results/new"'") > 0) { split(line, part, "`"); new[part[2]] } }
				!($2 in new)' || :
			cat "$results/new"
		} | sort -t '`' -k 2,2Vr
		sed -n "/^$end\$/,\$p" "$page"
	} >"$results/page"
	cp -- "$results/page" "$page"
}

passed=0
failed=0
if [ $# = 0 ]; then
	names=each
	[ -z "${ALL:-}" ] || names=all
	mapfile -t wanted < <(scripts/kernel-release.sh "$names")
else
	wanted=("$@")
fi
mkdir -p "$results"
rm -f "$results/new"
for name in "${wanted[@]}"; do
	release=$(NLB_KERNEL=$name scripts/kernel-release.sh)
	try "$release"
	cat "$results/$release/row" >>"$results/new"
	renew
done
cat "$results/new"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
