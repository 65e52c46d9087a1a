# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Results of a test script: "ok NAME: TEXT" or "not ok NAME: TEXT" each, and
# their sum.

passed=0
failed=0

# verdict NAME CODE TEXT: one result.
verdict() {
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
		echo "ok $1: $3"
	else
		failed=$((failed + 1))
		echo "not ok $1: $3"
	fi
}
