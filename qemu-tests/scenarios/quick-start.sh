# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the README's quick start on hosts of one's own: Debian with systemd
# topology: systemd
# hosts: 2
# timeout: 600
# long-timeout: 1200
#
# All commands are the README's, taken out of its text. The guests' addresses and
# the name of the interface are chosen so that they work as they stand. What
# differs from host to host, as the README says, is the host id.
#
# With the README's heartbeats, every 200 ms, a guest that stands still for a
# second is taken for dead, and on a busy machine emulated ones do. So what is
# said of both hosts is waited for.

BEGIN='On hosts of your own'
CHECKOUT=$(cd "$NLB_TESTS/.." && pwd -P)
BUILDER=$RUN/builder

# builder_line LINE: run a line on the machine that builds. What make builds is in
# the checkout; what other commands write is kept out of it.
builder_line() {
	local dir=$BUILDER
	note "builder: $1"
	case $1 in make\ *) dir=$CHECKOUT ;; esac
	env -C "$dir" -u MAKEFLAGS -u MAKELEVEL bash -euc "$1"
}

# host_line N LINE: run a line on host N, with an id of its own; its output is
# kept in lineN.
host_line() {
	local text=${2/--host-id 1 /--host-id $1 } code=0
	note "host $1: $text"
	guest "$1" "$text" >"$RUN/line$1" 2>&1 || code=$?
	cat "$RUN/line$1"
	return "$code"
}

# watch_on N LINE: start a line that does not end, with its output in
# /run/watch of host N; WATCH is its process there.
watch_on() {
	note "host $1: $2"
	WATCH=$(guest "$1" "{ exec $2
		} </dev/null >/run/watch 2>&1 & echo \$!")
}

# try_first N: the lines that make host N a member.
try_first() {
	local text
	for text in "${FIRST[@]}"; do
		check "host $1: $(command_of "$text")" host_line "$1" "$text"
	done
}

# owners_agree: both hosts name the same owner of the README's connection. OWNER is
# that host.
owners_agree() {
	local n owner=()
	for n in 1 2; do
		host_line "$n" "$OWNER_LINE" || return 1
		owner[n]=$(sed -n 's/^ *owner: host \([0-9]*\).*/\1/p' "$RUN/line$n")
	done
	OWNER=${owner[1]}
	[ -n "$OWNER" ] && [ "$OWNER" = "${owner[2]}" ]
}

# owner_answers: the host that is named as owner answers that client, and no other does.
owner_answers() {
	owners_agree || return 1
	SOURCES=198.51.100.7/32 requests 5 owned --timeout-ms 30000
	[ "$(field owned "r['hosts'].get('$OWNER', 0)")" = 5 ]
}

# both_answer: each of 300 requests is answered, and each host answers some 150.
both_answer() {
	local n count
	requests 300 all --timeout-ms 30000
	[ "$(field all "r['answered']")" = 300 ] || return 1
	for n in 1 2; do
		count=$(field all "r['hosts'].get('$n', 0)")
		[ "$count" -ge 75 ] && [ "$count" -le 225 ] || return 1
	done
}

# The lines that ask are for when all hosts are up; the others come first.
FIRST=() MONITOR_LINE='' OWNER_LINE='' SHOW_LINE=''
while IFS= read -r text; do
	case $(command_of "$text") in
	'nlbadm monitor'*) MONITOR_LINE=$text ;;
	'nlbadm owner '*) OWNER_LINE=$text ;;
	nlbadm) SHOW_LINE=$text ;;
	*) FIRST+=("$text") ;;
	esac
done < <(readme_block "$BEGIN" 2)
for text in "$MONITOR_LINE" "$OWNER_LINE" "$SHOW_LINE"; do
	check "the README has a line that asks: $(command_of "$text")" [ -n "$text" ]
done

mkdir "$BUILDER"
ln -s "$CHECKOUT"/* "$BUILDER/"
while IFS= read -r text; do
	check "builder: $(command_of "$text")" builder_line "$text"
done < <(readme_block "$BEGIN" 1)
same "others may not read the key" 600 "$(stat -c %a "$BUILDER/web.key")"
THREE=("$CHECKOUT/build/module/$(guest 1 uname -r)/nlb.ko" "$CHECKOUT/userspace/target/release/nlbadm"
	"$BUILDER/web.key")
for n in 1 2; do
	check "the three files are copied to host $n" copy "$n" /root "${THREE[@]}"
done

try_first 1
watch_on 1 "$MONITOR_LINE"
try_first 2
check "the hosts are members" wait_agree 120 1 2
check "monitor shows it" wait_until 30 in_log 1 /run/watch "members 1, 2"
check "monitor runs until it is stopped" guest 1 "kill $WATCH"
note "$(guest 1 cat /run/watch)"
for n in 1 2; do
	check "host $n has the VIP" guest "$n" "ip -brief address show dev nlb0 | grep -qw $VIP"
	check "host $n: $(command_of "$SHOW_LINE")" host_line "$n" "$SHOW_LINE"
	check "it shows the cluster" grep -qx 'cluster: web' "$RUN/line$n"
done
check "both hosts name the same owner" wait_until 120 owners_agree
check "the owner that is named answers" wait_until 180 owner_answers
check "all requests are answered, by both hosts" wait_until 180 both_answer
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"
for n in 1 2; do
	same "host $n in the eyes of systemd" running "$(guest "$n" systemctl is-system-running)"
done

# Nothing of it is kept over a reboot; the same lines make it a member again.
if [ -n "${LONG:-}" ]; then
	check "host 2 reboots" reboot 2
	try_first 2
	check "after a reboot: the hosts are members" wait_agree 120 1 2
	check "after a reboot: all requests are answered, by both hosts" wait_until 180 both_answer
fi
