# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the file of a cluster is changed on one host and is in force on all: or on none, whatever fails meanwhile
# clock: counted
# timeout: 600

# at N CMD…: run CMD on host N, which has an /etc/nlb of its own.
at() {
	local n=$1
	shift
	# shellcheck disable=SC2016 # the inner shell expands it
	on "h$n" unshare --mount -- bash -c 'mount --bind "$0" /etc/nlb && exec "$@"' "/run/test/etc$n" "$@"
}

# daemon N: nlbd of host N, until it is killed or the scenario ends.
daemon() {
	# shellcheck disable=SC2016
	background "h$1" "nlbd$1" unshare --mount -- bash -c 'mount --bind "$0" /etc/nlb && exec "$@"' "/run/test/etc$1" \
		nlbd --host "h$1" --run-directory "/run/test/nlbd$1" --state-directory "/run/test/state$1"
	wait_until 20 logged_line "nlbd$1" 'nlbd: replication of test: on'
}

# crash N: the daemon of host N is killed.
crash() {
	kill -9 "$(<"/run/test/nlbd$1.pid")"
	wait "$(<"/run/test/nlbd$1.pid")" 2>/dev/null || :
}

# from N VERB…: nlbadm on host N; what it prints is in /run/test/answer. The exit code.
from() {
	local n=$1 code=0
	shift
	at "$n" nlbadm -j "$@" >/run/test/answer 2>/run/test/why || code=$?
	note "host $n: $*: $code $(jq -c '[.hosts[]? | [.host_id, .done // .version, .message // .messages]]' /run/test/answer) $(cat /run/test/why)"
	return "$code"
}
exits() {
	local code=0
	"${@:2}" || code=$?
	[ "$code" = "$1" ]
}
host() {
	jq -r ".hosts[] | select(.host_id == $1) | $2" /run/test/answer
}
file() {
	printf '/run/test/etc%s/test.toml\n' "$1"
}

# edited SED…: a copy of the file of host 1, changed, is at /run/test/edit/test.toml.
edited() {
	mkdir -p /run/test/edit
	sed "$@" "$(file 1)" >/run/test/edit/test.toml
	! cmp -s "$(file 1)" /run/test/edit/test.toml
}
EDIT=/run/test/edit/test.toml

# all_have FILE HOST…: these hosts have this file, and no other is in force.
all_have() {
	local file=$1 n
	shift
	for n in "$@"; do
		cmp -s "$file" "$(file "$n")" || return
	done
}
# current N: number of the version in force on host N.
current() {
	jq -r '.current.number // 0' "/run/test/state$1/test/state.json" 2>/dev/null || printf '0\n'
}
all_current() {
	local number=$1 n
	shift
	for n in "$@"; do
		[ "$(current "$n")" = "$number" ] && [ "$(jq .staged "/run/test/state$n/test/state.json")" = null ] || return
	done
}
staged() {
	[ "$(jq -r '.staged.version.number // 0' "/run/test/state$1/test/state.json")" = "$2" ]
}

# ports_are LAST HOST…: the last port of the first rule in force there.
ports_are() {
	local last=$1 n
	shift
	for n in "$@"; do
		[ "$(adm "h$n" -j rules | jq -r '.rules[0].last_port')" = "$last" ] || return
	done
}

# Three fresh hosts: one file and one key.
mkdir -p /etc/nlb
hosts 3
load_module
for k in 1 2 3; do
	serve "$k"
done
config 3 'replicate = true' <<-END
	[[rule]]
	ports = 80
	protocols = "tcp"
	affinity = "none"
END
for k in 1 2 3; do
	mkdir -p "/run/test/etc$k"
	cp "$CONFIG" "$(file "$k")"
	check "host $k: from nothing" at "$k" nlbadm apply /etc/nlb/test.toml --host "h$k"
done
check "all are members" wait_agree 30 1 2 3
check "without nlbd: refused" not from 2 apply "$EDIT" --on all
for k in 1 2 3; do
	daemon "$k"
done
check "versions: there is none" from 1 versions
same "no version" null "$(jq .current /run/test/answer)"

# A rule, a VIP, a weight: from host 2 alone, under load.
load change --interval-ms 20
check "an edit" edited -e 's/ports = 80/ports = "80-81"/' -e "s/vips = .*/vips = [\"$VIP\", \"10.0.0.77\"]/" -e 's/^id = 3/id = 3\nweight = 20/'
check "host 2: for all" from 2 apply "$EDIT" --on all
same "it is in force" true "$(jq .in_force /run/test/answer)"
same "nothing waits" null "$(jq .waits_for /run/test/answer)"
check "all hosts have the file" all_have "$EDIT" 1 2 3
check "all hosts have version 1" all_current 1 1 2 3
check "the rule is in force" ports_are 81 1 2 3
for k in 1 2 3; do
	same "host $k: the VIPs" "$VIP 10.0.0.77" "$(shown "$k" '.[0].vips | join(" ")')"
done
same "host 3: its weight" 20 "$(shown 3 '.[0].weight')"
load_end change
same "requests that failed meanwhile" 0 "$(field change ".requests - .answered")"
check "the same again: nothing to do" from 3 apply "$EDIT" --on all
check "still version 1" all_current 1 1 2 3
