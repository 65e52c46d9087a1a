# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of scenarios whose guests are ordinary Debian systems (nlbtest/system.py),
# beside those of guests/segment.sh. A scenario finds them booted, each with its
# dedicated address, 192.0.2.N, on eth1, and a web server; nlb is not on them.

VIP=192.0.2.10
SOURCES=198.51.100.0/24
VIRTUAL_MAC=03:bf:c0:00:02:0a

# copy N DIR FILE…: copy files into a directory of host N.
copy() {
	lab copy "$@"
}

# boot N: power on again, and wait until everything has started.
boot() {
	lab boot "$1"
}

# reboot N: restart host N in order, and wait until everything has started.
reboot() {
	lab reboot "$1"
}

# boot_kernel N RELEASE [degraded]: restart host N in order, with another kernel
# of its /boot; "degraded" if not everything need start there.
boot_kernel() {
	lab off "$1" && lab kernel "$1" "$2" && lab boot "$1" "${@:3}"
}

# shown N EXPRESSION: a Python expression on "r", which is what "nlbadm -j show"
# says at host N. (An ordinary system has no jq.)
shown() {
	guest "$1" nlbadm -j show >"$RUN/show$1.json" && field "show$1" "$2"
}

# members N: the generation and the converged members as host N sees them:
# "7: 1 2 3".
members() {
	shown "$1" "str(r[0]['generation']) + ': ' + ' '.join(
		str(h['host_id']) for h in r[0]['hosts'] if h['member'] and h['state'] == 'converged')"
}

# agree ID…: every one of these hosts sees exactly these as members, in one
# generation.
agree() {
	local id view first=''
	for id in "$@"; do
		view=$(members "$id" 2>/dev/null) || return 1
		[ "${view#*: }" = "$*" ] || return 1
		[ "${first:=$view}" = "$view" ] || return 1
	done
}

# wait_agree SECONDS ID…: when they do not, the log says what each one sees.
wait_agree() {
	local seconds=$1 id
	shift
	wait_until "$seconds" agree "$@" && return
	for id in "$@"; do
		guest "$id" "nlbadm; nlbadm history" || :
	done
	return 1
}

# in_log N FILE TEXT: whether a file of host N has a line with this text.
in_log() {
	guest "$1" "grep -q -e '$3' '$2'"
}
