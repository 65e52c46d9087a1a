#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run one scenario inside a guest. Usage: run NAME
# Results go to the port named by NLB_KTAP, the log to standard output.

exec 4>"${NLB_KTAP:-/dev/stderr}"
for file in /nlb/lib/*.sh; do
	# shellcheck disable=SC1090
	. "$file"
done

# Each scenario starts with empty files of its own.
rm -rf /run/test
mkdir -p /run/test

# What a scenario leaves behind would disturb the next one, so it is a failure.
scenario_after() {
	local left
	left=$(ip netns list)
	same "no namespace is left" "" "$left"
	if [ -d /sys/module/nlb ]; then
		check "the module can be removed: no cluster is left" wait_until 20 remove_module
	fi
}

printf 'KTAP version 1\n' >&4
scenario_main "/nlb/scenarios/$1.sh"
