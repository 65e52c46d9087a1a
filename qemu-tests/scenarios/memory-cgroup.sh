# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: all memory of a cluster is charged to its creator, a table of sessions that grows later included
# clock: counted
# timeout: 200
# long-timeout: 900
#
# The table grows in a thread of the kernel as packets come; "creator" is the
# memory cgroup of the process that ran nlbadm, and has long ended. LONG=1 fills
# the largest table that there may be.

GROUPS_AT=/sys/fs/cgroup
SESSIONS=65536
[ -z "${LONG:-}" ] || SESSIONS=1048576
# A cell of the table: its head, and six words.
CELL=56

# make_group NAME
make_group() {
	mkdir "$GROUPS_AT/$1"
	defer rmdir "$GROUPS_AT/$1"
}

# within_group NAME CMD…: in a process that is in that group.
within_group() {
	local group=$1
	shift
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$0"; exec "$@"' "$GROUPS_AT/$group/cgroup.procs" "$@"
}

# charged GROUP: memory of the kernel that the group pays for. It pays for pages of files, too, that its processes
# were the first to read.
charged() {
	awk '$1 == "kernel" { print $2 }' "$GROUPS_AT/$1/memory.stat"
}

# up GROUP: a cluster whose rule remembers each datagram's session.
up() {
	within_group "$1" nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --vip "$COST_VIP" \
		--rules /run/test/tracked.toml --sessions-max "$SESSIONS"
	cost_converged
}

# fired CMD…: datagrams of twice as many clients as there is room for, the same
# ones each time; then CMD.
fired() {
	fire "$COST_DEVICE" rx $((SESSIONS * 2)) "$(frame udp 4)" >/dev/null
	"$@"
}

counted() {
	nlbadm -j counters "$COST_DEVICE" --all | jq ".counters[\"$1\"]"
}

mkdir -p "$GROUPS_AT"
mount -t cgroup2 none "$GROUPS_AT"
defer umount "$GROUPS_AT"
echo +memory >"$GROUPS_AT/cgroup.subtree_control"
make_group creator
make_group small
tracking_device

# A full table.
up creator
before=$(charged creator)
note "a cluster without sessions: $before bytes"
is_full() {
	[ "$(counted session-no-room)" -gt 0 ]
}
check "the table has come to its full size" wait_until 60 fired is_full
# The table before that one is given back soon. Memory in one piece is rounded up
# to a power of two.
grown() {
	echo $(($(charged creator) - before))
}
settled() {
	[ "$(grown)" -le $((SESSIONS * CELL * 3 / 2)) ]
}
wait_until 20 settled || :
note "$(nlbadm -j show "$COST_DEVICE" | jq '.[0].sessions') sessions: $(grown) bytes more"
within "bytes charged to the creator for the table" "$(grown)" $((SESSIONS * CELL)) $((SESSIONS * CELL * 3 / 2))
cost_down
gone() {
	[ "$(charged creator)" -lt $((before / 2)) ]
}
check "all is given back" wait_until 20 gone

# Where the group's limit leaves no room, the table stays as it is.
up small
# A process of the group outlives what comes.
# shellcheck disable=SC2016
bash -c 'echo $$ >"$0"; exec sleep 1000' "$GROUPS_AT/small/cgroup.procs" &
sleeper=$!
sleeps() {
	[ "$(<"/proc/$sleeper/comm")" = sleep ]
}
wait_until 20 sleeps
limit=$(($(<"$GROUPS_AT/small/memory.current") + SESSIONS * CELL / 8))
echo "$limit" >"$GROUPS_AT/small/memory.max"
events=/run/test/events.log
nlbadm -j monitor "$COST_DEVICE" >"$events" &
defer kill "$!"
check "at the limit of the group: sessions without room are counted" wait_until 60 fired is_full
within "bytes charged to a group with a limit" "$(charged small)" 1 "$limit"
told() {
	grep -q '"event":"sessions-full"' "$events"
}
check "and told of" wait_until 60 fired told
steady 2500 fired true
check "no process is killed for it" kill -0 "$sleeper"
same "processes of the group that were killed" 0 "$(awk '$1 == "oom_kill" { print $2 }' "$GROUPS_AT/small/memory.events")"

# And when there is room, it grows.
echo max >"$GROUPS_AT/small/memory.max"
has_grown() {
	[ "$(charged small)" -gt $((SESSIONS * CELL)) ]
}
check "without the limit it grows" wait_until 60 fired has_grown
kill "$sleeper"
wait "$sleeper" 2>/dev/null || :
cost_down
