# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The file of a cluster, and "nlbadm apply". Every host of the segment has a
# section in it, hN, and is told which one it is: they share a host name.

CONFIG=/run/test/test.toml

# config N [LINE…]: write the file of a cluster of N hosts, with these lines in
# [cluster]; rules, and lines of hosts, come on standard input (which may be
# empty): a line "hN KEY = VALUE" is one of that host's section.
config() {
	local n=$1 i input
	shift
	[ -e "$KEY_FILE" ] || make_key
	input=$(cat)
	{
		printf '[cluster]\nvips = ["%s"]\ninterface = "eth0"\nkey-file = "%s"\n' "$VIP" "$KEY_FILE"
		[ $# = 0 ] || printf '%s\n' "$@"
		grep -v '^h[0-9]* ' <<<"$input" || :
		for ((i = 1; i <= n; i++)); do
			printf '\n[host.h%s]\nid = %s\n' "$i" "$i"
			sed -n "s/^h$i //p" <<<"$input"
		done
	} >"$CONFIG"
}

# apply N [OPTION…]: host N becomes what the file says; what is printed is kept
# in /run/test/applied.
apply() {
	local n=$1 code=0
	shift
	adm "h$n" apply "$CONFIG" --host "h$n" "$@" >/run/test/applied 2>&1 || code=$?
	note "h$n apply${*:+ $*}: $(cat /run/test/applied)"
	return "$code"
}

# applied TEXT: whether a line like this was printed by the last apply.
applied() {
	grep -qxe "$1" /run/test/applied
}

# picture N: all of host N that a refusal must leave alone.
picture() {
	adm "h$1" -j show | jq -S 'map(del(.hosts, .sessions, .connections, .residue, .walk_us, .walk_seen, .obstacles))'
	adm "h$1" -j rules 2>/dev/null | jq -S '.rules | map(del(.accepted, .dropped))' || :
	ip -n "h$1" -br addr
}

# keep N, as_kept N: host N is as it was when it was kept.
keep() {
	picture "$1" >"/run/test/picture$1"
}

as_kept() {
	picture "$1" | diff "/run/test/picture$1" -
}
