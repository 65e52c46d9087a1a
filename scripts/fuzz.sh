#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fuzz.sh: all fuzz targets, which are the tests whose names begin with fuzz_,
# each for NLB_FUZZ_SECONDS (60) from a random beginning. NLB_FUZZ_TARGET=NAME
# runs those whose name has NAME. Inputs with new outcomes are kept in
# build/fuzz/TARGET/ and are where the next run begins; an input that makes a
# target fail is kept there as well, and NLB_FUZZ_INPUT=FILE runs it alone.

. "$(dirname "$0")/lib.sh"
cd "$NLB_ROOT"

export NLB_FUZZ_SECONDS=${NLB_FUZZ_SECONDS:-60}
export NLB_FUZZ_KEEP=$NLB_ROOT/build/fuzz
filter=fuzz_${NLB_FUZZ_TARGET:-}
log=$NLB_FUZZ_KEEP/log
mkdir -p "$NLB_FUZZ_KEEP"
: >"$log"

failed=0
for manifest in module/core/Cargo.toml userspace/Cargo.toml; do
	say "the targets of $(dirname "$manifest"), $NLB_FUZZ_SECONDS s each"
	scripts/cargo.sh test --no-fail-fast --manifest-path "$manifest" "$filter" -- --nocapture 2>&1 |
		tee -a "$log" | grep -E --line-buffered '^fuzz |^error|panicked at|^after .* inputs, with|^kept in' || :
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
done

targets=$(grep -c '^fuzz ' "$log" || :)
[ "$targets" != 0 ] || die "no target has ${NLB_FUZZ_TARGET:-a name}"
say "$targets targets came to their end; what they said is in ${log#"$NLB_ROOT"/}"
exit "$failed"
