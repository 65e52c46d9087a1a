#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Run one scenario of several guests. Usage: run.sh FILE TOPOLOGY, with the lab
# in NLB_LAB_DIR; results go to descriptor 4, the log to standard output, and what
# a story tells people to descriptor 5.

NLB_TESTS=$(cd "$(dirname "$0")/.." && pwd -P)
RUN=$NLB_LAB_DIR/run
mkdir -p "$RUN"

# shellcheck source=../lib/ktap.sh
. "$NLB_TESTS/lib/ktap.sh"
# shellcheck source=../lib/peers.sh
. "$NLB_TESTS/lib/peers.sh"
# shellcheck source=segment.sh
. "$NLB_TESTS/guests/segment.sh"
case $2 in
systemd)
	# shellcheck source=../system/verbs.sh
	. "$NLB_TESTS/system/verbs.sh"
	# shellcheck source=../system/readme.sh
	. "$NLB_TESTS/system/readme.sh"
	case $1 in
	*/story.sh)
		# shellcheck source=../stories/verbs.sh
		. "$NLB_TESTS/stories/verbs.sh"
		;;
	esac
	;;
*)
	# shellcheck source=verbs.sh
	. "$NLB_TESTS/guests/verbs.sh"
	;;
esac

printf 'KTAP version 1\n' >&4
scenario_main "$1"
