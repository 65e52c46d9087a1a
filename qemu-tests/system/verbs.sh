# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of scenarios whose guests are ordinary Debian systems (nlbtest/system.py),
# beside those of guests/segment.sh. A scenario finds them booted, each with its
# dedicated address, 192.0.2.N, on eth1, and a web server; nlb is not on them.

VIP=192.0.2.10
SOURCES=198.51.100.0/24
VIRTUAL_MAC=03:bf:c0:00:02:0a
CHECKOUT=$(cd "$NLB_TESTS/.." && pwd -P)
# The packages of this checkout, for scenarios that have them (scripts/build-deb.sh).
DEBS=$CHECKOUT/build/deb${NLB_PROFILE:+-$NLB_PROFILE}

# copy N DIR FILE…: copy files into a directory of host N.
copy() {
	lab copy "$@"
}

# at_once VERB N…: VERB N for each of these hosts, all at the same time.
at_once() {
	local verb=$1 n pids=() rc=0
	shift
	for n in "$@"; do
		"$verb" "$n" &
		pids+=("$!")
	done
	for n in "${pids[@]}"; do
		wait "$n" || rc=1
	done
	return "$rc"
}

# apt N ARG…: apt-get in host N, which has no network: all is in files. What it says is in /root/apt.
apt() {
	local n=$1
	shift
	guest "$n" "DEBIAN_FRONTEND=noninteractive apt-get -q -y $* 2>&1 | tee /root/apt; exit \${PIPESTATUS[0]}"
}

# make_key CLUSTER N…: one key for the cluster, made on the first of these hosts and
# copied to the others.
make_key() {
	local cluster=$1 first=$2 n
	shift 2
	guest "$first" "umask 077 && nlbadm genkey >/etc/nlb/$cluster.key" || return 1
	(umask 077 && guest "$first" cat "/etc/nlb/$cluster.key" >"$RUN/$cluster.key") || return 1
	for n in "$@"; do
		copy "$n" /etc/nlb "$RUN/$cluster.key" || return 1
	done
}

# serves N: host N takes part in its cluster "web" by its units, and systemd is content.
serves() {
	check "host $1: it serves" wait_until 120 guest "$1" systemctl is-active nlb-serve@web
	check "host $1: systemd is content" guest "$1" systemctl is-system-running --wait
}

# all_answer N…: each of 100 requests is answered, by all of these hosts.
all_answer() {
	requests 100 all --timeout-ms 30000
	[ "$(field all "r['answered']")" = 100 ] && [ "$(field all "len(r['hosts'])")" = "$#" ]
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
