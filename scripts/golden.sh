#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The golden packets, a table that a second implementation of the packet
# decision makes (scripts/golden/), against the core natively and, in a guest,
# against the real hook. The last two lines say how many came out right.

. "$(dirname "$0")/lib.sh"
cd "$NLB_ROOT"

logs=$NLB_ROOT/build/test
mkdir -p "$logs"
rc=0

scripts/cargo.sh test --quiet --manifest-path module/core/Cargo.toml --test core golden:: -- --nocapture \
	>"$logs/golden-natively.log" 2>&1 || rc=$?
qemu-tests/run golden || rc=$?
grep -ohE '^[0-9]+ of [0-9]+ natively' "$logs/golden-natively.log" || {
	tail -n 40 "$logs/golden-natively.log" >&2
	echo "none natively: see ${logs#"$NLB_ROOT"/}/golden-natively.log"
	rc=1
}
sed -nE 's/^(not )?ok [0-9]+ in the hook: ([0-9]+ of [0-9]+)$/\2 in the hook/p' "$logs/golden.log" | grep . || {
	echo "none in the hook: see ${logs#"$NLB_ROOT"/}/golden.log"
	rc=1
}
exit "$rc"
