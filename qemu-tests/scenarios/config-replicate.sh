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

# begin N NAME CMD…: the same in the background, as with "background": the pid is that of CMD.
begin() {
	local n=$1 name=$2
	shift 2
	# shellcheck disable=SC2016
	background "h$n" "$name" unshare --mount -- bash -c 'mount --bind "$0" /etc/nlb && exec "$@"' "/run/test/etc$n" "$@"
}

# daemon N: nlbd of host N, until it is killed or the scenario ends.
daemon() {
	begin "$1" "nlbd$1" nlbd --host "h$1" --run-directory "/run/test/nlbd$1" --state-directory "/run/test/state$1"
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
check "an edit" edited -e 's/ports = 80/ports = "80-81"/' -e "s/vips = .*/vips = [\"$VIP\", \"10.0.0.77\"]/" -e 's/^id = 3/id = 3\nweight = 20/'
check "without nlbd: refused" exits 1 from 2 apply "$EDIT" --on all
check "with what helps" grep -q 'enable --now nlbd' /run/test/why
for k in 1 2 3; do
	daemon "$k"
done
check "versions: there is none" from 1 versions
same "no version" null "$(jq .current /run/test/answer)"

# A rule, a VIP, a weight: from host 2 alone, under load.
hold 60 200
load change --interval-ms 20
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
held_end
none_broken 60
adm h1 set --weight 33
check "the same again" from 3 apply "$EDIT" --on all
same "host 1: its weight is that of the file again" 50 "$(shown 1 '.[0].weight')"
check "still version 1" all_current 1 1 2 3

# One that cannot have it is named, and keeps it from nobody else than it was told.
check "an edit" edited -e 's/^id = 3/id = 3\ninterface = "eth9"/'
check "host 3 lacks the interface: refused" exits 1 from 1 apply "$EDIT" --on all
same "host 3 says why" true "$(host 3 '.message | test("no interface eth9")')"
check "nothing has changed" all_current 1 1 2 3
check "a trial says the same" not from 1 apply "$EDIT" --on all --dry-run
check "an edit" edited -e 's/80-81/80-82/'
check "a trial" from 1 apply "$EDIT" --on all --dry-run
same "it is not in force" false "$(jq .in_force /run/test/answer)"
check "nothing has changed" all_current 1 1 2 3
check "an edit that a host cannot live" edited -e 's/^key-file/mode = "unicast"\nkey-file/'
check "refused: it takes a restart" exits 9 from 1 apply "$EDIT" --on all
check "an edit with a key of later" edited -e 's/^key-file/later = 1\nkey-file/'
check "refused on this host" exits 2 from 1 apply "$EDIT" --on all

# Another key.
cp "$KEY_FILE" /run/test/right
(umask 077 && nlbadm genkey >"$KEY_FILE")
kill -HUP "$(<"/run/test/nlbd3.pid")"
cp /run/test/right "$KEY_FILE"
check "an edit" edited -e 's/80-81/80-83/'
same_key() {
	from 1 versions && [ "$(host 3 .version)" = "$1" ]
}
check "host 3 has another key" wait_until 5 same_key null
check "it has no part in a change" exits 1 from 1 apply "$EDIT" --on all
kill -HUP "$(<"/run/test/nlbd3.pid")"
check "the right one again" wait_until 5 same_key 1

# A host that was away: it does not block what leaves it out, and comes back with an old file.
crash 3
cp "$CONFIG" /run/test/old.toml
check "host 3 gives no answer: refused" exits 1 from 2 apply "$EDIT" --on all
same "host 3 is named" true "$(host 3 '.message != null')"
check "nothing has changed" all_current 1 1 2 3
check "without it" from 2 apply "$EDIT" --on all --without h3
same "it is told that rules wait for it" 3 "$(jq -r '.waits_for | join(" ")' /run/test/answer)"
check "hosts 1 and 2 have version 2" all_current 2 1 2
rm -r /run/test/state3
cp /run/test/old.toml "$(file 3)"
daemon 3
check "host 3 takes the version over as it starts" wait_until 10 logged_line nlbd3 'replication of test: version 2 by h2 at .*: taken over from host [12]'
check "it has the file" wait_until 10 all_have "$EDIT" 1 2 3
check "and is what it says" wait_until 10 ports_are 83 1 2 3
same "what it had is version 0 there" 1 "$(jq '[.history[] | select(.number == 0)] | length' /run/test/state3/test/state.json)"
check "all are members" wait_agree 30 1 2 3

# Two at once.
check "an edit" edited -e 's/80-83/80-84/'
cp -r /run/test/edit /run/test/edit2
check "another edit" edited -e 's/80-83/80-85/'
{
	two=0
	at 2 nlbadm -j apply /run/test/edit2/test.toml --on all >/run/test/two.json 2>/run/test/two.why || two=$?
	echo "$two" >/run/test/two.code
} &
second=$!
one=0
at 3 nlbadm -j apply "$EDIT" --on all >/run/test/one.json 2>/run/test/one.why || one=$?
wait "$second"
two=$(</run/test/two.code)
note "host 2: $two $(cat /run/test/two.why); host 3: $one $(cat /run/test/one.why)"
check "one wins, the other is told by its exit code" grep -qx '0 10\|10 0' <<<"$one $two"
check "with what came first" grep -q "somebody else's change came first" /run/test/one.json /run/test/two.json
won=$EDIT
[ "$one" = 0 ] || won=/run/test/edit2/test.toml
check "all have the file of the one" all_have "$won" 1 2 3
check "as version 3" all_current 3 1 2 3

# A host that stands still in the middle, and the process of the change dies.
check "an edit" edited -e 's/80-8[45]/80-86/'
kill -STOP "$(<"/run/test/nlbd3.pid")"
begin 1 left nlbadm apply "$EDIT" --on all
check "the change is staged on host 2" wait_until 10 staged 2 4
kill -9 "$(<"/run/test/left.pid")"
wait "$(<"/run/test/left.pid")" 2>/dev/null || :
check "another change meanwhile: refused" exits 10 from 1 apply "$EDIT" --on all --without 3
crash 3
daemon 3
settled() {
	all_current 3 1 2 3 && all_have "$won" 1 2 3
}
# That is a matter of time: 20 s of it.
pause 20
check "it is taken back by itself" wait_until 60 settled

# Daemons die while a change is made; what is left agrees.
for k in 1 2 3; do
	check "an edit" edited -e "s/80-8[0-9]*/80-8$((6 + k))/"
	from 2 apply "$EDIT" --on all &
	change=$!
	# A moment of its own for each.
	wait_until 10 staged "$k" "$(($(current 2) + 1))" || :
	crash "$k"
	wait "$change" || :
	daemon "$k"
	one_version() {
		local n
		n=$(current 1)
		all_current "$n" 1 2 3 && cmp -s "$(file 1)" "$(file 2)" && cmp -s "$(file 1)" "$(file 3)"
	}
	one_version || pause 20
	check "the daemon of host $k dies: all agree again" wait_until 60 one_version
	note "version $(current 1)"
done
check "what runs is what the file says" wait_until 20 ports_are "$(sed -n 's/.*80-\([0-9]*\).*/\1/p' "$(file 1)")" 1 2 3

# Disks.
crash 3
mkdir -p /run/test/small
mount -t tmpfs -o size=256k tmpfs /run/test/small
defer umount -l /run/test/small
cp -r /run/test/state3/. /run/test/small/
mount --bind /run/test/small /run/test/state3
defer umount -l /run/test/state3
daemon 3
check "all agree" wait_until 30 one_version
before=$(current 1)
check "an edit" edited -e 's/80-8[0-9]*/80-90/'
dd if=/dev/zero of=/run/test/small/fill bs=4k 2>/run/test/dd || :
check "a full disk on host 3: refused" exits 1 from 2 apply "$EDIT" --on all
same "host 3 says why" true "$(host 3 '.message | test("No space left")')"
check "nothing has changed" all_current "$before" 1 2 3
rm /run/test/small/fill
mkdir -p /run/test/ro
mount -t tmpfs tmpfs /run/test/ro
defer umount -l /run/test/ro
cp "$(file 3)" /run/test/ro/
crash 3
mount --bind /run/test/ro /run/test/etc3
defer umount -l /run/test/etc3
mount -o remount,ro /run/test/ro
daemon 3
check "a directory that cannot be written on host 3: refused" exits 1 from 2 apply "$EDIT" --on all
same "host 3 says why" true "$(host 3 '.message | test("Read-only file system")')"
check "nothing has changed" all_current "$before" 1 2 3
mount -o remount,rw /run/test/ro
check "when both are mended: done" from 2 apply "$EDIT" --on all
check "all have it" all_have "$EDIT" 1 2 3

# Back.
check "versions" from 3 versions
same "the newest is in force" true "$(jq '.current == .versions[0].number' /run/test/answer)"
check "rollback" from 3 rollback
check "all are as before" wait_until 10 all_current "$((before + 2))" 1 2 3
same "the note says it" "rollback to version $before" "$(jq -r .version.note /run/test/answer)"
check "rollback to the first" from 1 rollback 1
check "the rule is as it was" ports_are 81 1 2 3
check "a version that there is none of" exits 2 from 1 rollback 999
check "its content" at 1 nlbadm versions --content 1
printf '# here alone\n' >>"$(file 2)"
edited_there() {
	from 1 versions && [ "$(host 2 .file)" = edited ]
}
check "an edit in place is told" wait_until 5 edited_there
check "an edit" edited -e 's/80-81/80-91/'
check "a change of all comes over it" from 1 apply "$EDIT" --on all
check "what stood there is kept" grep -q 'here alone' /run/test/state2/test/edited-after-*
check "all are members to the end" wait_agree 30 1 2 3
