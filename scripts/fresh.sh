#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fresh.sh: does the README's quick start work on a machine that has only
# Debian, git, make and ca-certificates? "make test T=fresh" runs it, as root.
#
# A minimal Debian 13 (with LONG=1 a Debian 12 too) is made, isolated from the
# host by namespaces: a file system, processes and a network of its own, with
# no way out but a cache of packages. A clone of HEAD is put there, and the
# commands that the README shows are run: the demo with an empty cache, the
# demo of a second clone, and "make test" for scenarios that boot guests.
# Prints "ok NAME" and "not ok NAME", and last "N passed, N failed". Logs are
# left in build/test/fresh/. With NLB_KEEP=1 the machine's files stay, until
# the next run.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-verdict.sh"
. "$(dirname "$0")/lib-apt.sh"
. "$(dirname "$0")/fresh-net.sh"

# Two short scenarios: one of the network alone, one of nlb.
SHARE="lab-segment cluster-keys"

# What the README's "at most" figures are compared with, in seconds. They
# depend on the machine, so they are shown and decide nothing.
FIRST_GUEST=240
SILENCE=10
WARM=60

# The long form kills a set-up so often, each time after at most so many seconds.
KILLS=10
KILL_SECONDS=40

# What a fresh machine's files come to, in MiB: its system, its cache, two
# checkouts.
ROOM_MIB=10240

# Tools that a fresh machine does not have: with one of them there the test
# would prove less than it says.
STRANGERS="python3 cc gcc cargo rustc ip ethtool qemu-system-x86_64 mmdebstrap strip cpio"

logs=$NLB_ROOT/build/test/fresh
machines=$NLB_CACHE/fresh/machines

# timed LOG LABEL: copy standard input to LOG, each line with the seconds since
# the start before it, and to standard error for people.
timed() {
	local line start=$EPOCHREALTIME us
	start=${start/[.,]/}
	: >"$1"
	while IFS= read -r line || [ -n "$line" ]; do
		us=${EPOCHREALTIME/[.,]/}
		us=$((us - start))
		printf '%d.%03d %s\n' $((us / 1000000)) $((us / 1000 % 1000)) "$line" >>"$1"
		printf '%s| %s\n' "$2" "$line" >&2
	done
	us=${EPOCHREALTIME/[.,]/}
	us=$((us - start))
	printf '%d.%03d (end)\n' $((us / 1000000)) $((us / 1000 % 1000)) >>"$1"
}

# seconds LOG: the whole time.
seconds() {
	awk 'END { printf "%d s\n", $1 }' "$1"
}

# first_guest LOG: when the first line said that guests boot; nothing if none did.
first_guest() {
	awk '/ [0-9]+ guests? boot/ && !found { printf "%d\n", $1; found = 1 }' "$1"
}

# longest_silence LOG: the longest time without a line of output, and the line
# before it.
longest_silence() {
	awk '{ gap = $1 - last; if (gap > most) { most = gap; after = line } last = $1
			line = $0; sub(/^[^ ]* /, "", line) }
		END { printf "%.1f s, after \"%s\"\n", most, substr(after, 1, 60) }' "$1"
}

# readme_block FILE HEADING: the first block of shell commands under a heading,
# without comments.
readme_block() {
	awk -v heading="## $2" '
		$0 == heading { section = 1; next }
		section && /^## / { exit }
		section && /^```sh$/ { block = 1; next }
		block && /^```$/ { exit }
		block { sub(/[ \t]+#.*$/, ""); print }' "$1"
}

# test_readme NAME FILE: take quick_start and test_command from the README, and
# fail if they are not where a reader finds them.
test_readme() {
	quick_start=$(readme_block "$2" "Quick start" | sed -n 1p)
	test_command=$(readme_block "$2" "Testing" | grep -x -m 1 'make test' || :)
	if [ "$quick_start" != "make demo" ]; then
		verdict "$1" 1 "the README's quick start does not begin with \"make demo\" but with \"$quick_start\""
		return 1
	elif [ -z "$test_command" ]; then
		verdict "$1" 1 "the first block of the README's \"Testing\" has no line \"make test\""
		return 1
	fi
}

# make_root SUITE DEST: the files of the machine: what "minbase" has, git, make
# and ca-certificates, and the authorities that the host trusts beyond Debian's.
make_root() {
	local mirror
	mirror=$(debian_mirror)
	logged "$logs/root-$1.log" env -i HOME=/root PATH="$PATH" \
		unshare --mount --propagation private -- \
		mmdebstrap --mode=root --variant=minbase --architectures=amd64 \
		--include=git,make,ca-certificates \
		--dpkgopt=force-unsafe-io \
		--aptopt="Acquire::http::Proxy \"http://$NLB_FRESH_HOST:$NLB_FRESH_PORT\"" \
		"$1" "$2" - < <(NLB_SUITES="$1 $1-updates" debian_sources "$mirror")
	# That was for speed, and is not what a fresh Debian has.
	rm "$2/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
	# Names are resolved by the proxy: there is no server to ask.
	: >"$2/etc/resolv.conf"
	printf '127.0.0.1 localhost fresh\n' >"$2/etc/hosts"
	if [ -d /usr/local/share/ca-certificates ]; then
		find /usr/local/share/ca-certificates -name '*.crt' -exec \
			cp -t "$2/usr/local/share/ca-certificates" {} +
	fi
}

# boot ROOT: start the machine; sets "machine", the id of its first process.
boot() {
	local pidfile=$1.pid
	rm -f "$pidfile"
	unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net -- \
		"$NLB_ROOT/scripts/fresh-root.sh" "$1" "$pidfile" >"$logs/machine.log" 2>&1 &
	unshared=$!
	until [ -s "$pidfile" ] && [ -e "/proc/$(<"$pidfile")/root/run/fresh-is-up" ]; do
		kill -0 "$unshared" 2>/dev/null ||
			die "the fresh machine does not start: $(tail -n 1 "$logs/machine.log")"
		sleep 0.05
	done
	machine=$(<"$pidfile")
}

# inside DIR COMMAND: a shell command on the machine, in DIR, as root after a
# login. What the host's cargo is told about registries holds there too.
inside() {
	local settings=()
	mapfile -t settings < <(env | grep -E '^CARGO_(HTTP|NET|REGISTR[A-Z]*|SOURCE)_[A-Z_0-9]*=' || :)
	# The caller runs in the background, where a shell ignores SIGINT.
	nsenter --target "$machine" --mount --uts --ipc --net --pid --root -- \
		/usr/bin/env -i --default-signal=INT,QUIT HOME=/root USER=root SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		"${settings[@]}" "CARGO_HTTP_PROXY=http://$NLB_FRESH_HOST:$NLB_FRESH_PORT" \
		/bin/bash -c 'cd "$1" && eval "$2"' bash "$1" "$2" </dev/null
}

# run_inside NAME DIR COMMAND: the same, timed, in a log of that name. Returns
# the command's code.
run_inside() {
	local codes
	say "fresh: $1: $3"
	set +e
	inside "$2" "$3" 2>&1 | timed "$logs/$1.log" "$1"
	codes=("${PIPESTATUS[@]}")
	set -e
	return "${codes[0]}"
}

# says LOG PATTERN: true if the last line of output has the pattern.
says() {
	sed -nE '/^[0-9.]+ \(end\)$/!{s/^[0-9.]+ //;h};${x;p}' "$1" | grep -qE -- "$2"
}

# why LOG: the first line that says what failed, else the last one, make's own
# aside.
why() {
	local text line
	text=$(sed -E '$d;s/^[0-9.]+ //' "$1" | grep -vE '^(make(\[[0-9]+\])?: .*)?$' || :)
	line=$(grep -m 1 -E 'FAILED|^(nlb|E|error|not ok)\b' <<<"$text" || tail -n 1 <<<"$text")
	printf '%s\n' "${line:-no output}"
}

# test_isolation NAME: nothing of the host can be reached, and nothing that a
# fresh machine lacks is there.
test_isolation() {
	local trouble=() seen answer
	seen=$(inside / 'cut -d" " -f5 /proc/self/mountinfo | sort | paste -sd" "')
	[ "$seen" = "/ /dev /dev/pts /dev/shm /proc /run /sys" ] || trouble+=("mounted are $seen")
	seen=$(inside / 'cd /sys/class/net && echo *')
	[ "$seen" = "lo uplink" ] || trouble+=("interfaces are $seen")
	seen=$(inside / "awk '\$2 == \"00000000\"' /proc/net/route; grep -v ' lo$' /proc/net/ipv6_route | grep '^0\{32\} 00 '" || :)
	[ -z "$seen" ] || trouble+=("there is a default route")
	seen=$(inside / "for tool in $STRANGERS; do command -v \$tool; done" || :)
	[ -z "$seen" ] || trouble+=("the machine has $(paste -sd' ' <<<"$seen")")
	answer=$(inside / "exec 3<>/dev/tcp/$NLB_FRESH_HOST/$NLB_FRESH_PORT &&
		printf 'GET http://host.invalid/file.deb HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3" || :)
	[[ $answer == *" 403 "* ]] || trouble+=("the proxy answers \"${answer%$'\r'}\" for a host that is no archive")
	if [ ${#trouble[@]} = 0 ]; then
		verdict "$1" 0 "a cable to the package cache, and nothing of the host"
	else
		verdict "$1" 1 "$(IFS=';' && printf '%s' "${trouble[*]}")"
	fi
}

# test_demo NAME DIR: the quick start with an empty cache.
test_demo() {
	local log=$logs/$1.log rc=0 first
	run_inside "$1" "$2" "$quick_start" || rc=$?
	first=$(first_guest "$log")
	if [ "$rc" != 0 ]; then
		verdict "$1" 1 "\"$quick_start\" ends with code $rc after $(seconds "$log"): $(why "$log")"
	elif ! says "$log" '(^|\] *)demo: ok$'; then
		verdict "$1" 1 "the last line is not \"demo: ok\": $(why "$log")"
	elif [ -z "$first" ]; then
		verdict "$1" 1 "no line says that guests boot"
	else
		verdict "$1" 0 "demo: ok after $(seconds "$log"), guests boot after $first s (must hold: $FIRST_GUEST)"
	fi
	echo "$1: the longest silence is $(longest_silence "$log") (must hold: $SILENCE)"
}

# test_warm NAME DIR: the quick start of a second clone, with a warm cache.
test_warm() {
	local log=$logs/$1.log rc=0
	run_inside "$1" "$2" "$quick_start" || rc=$?
	if [ "$rc" = 0 ] && says "$log" '(^|\] *)demo: ok$'; then
		verdict "$1" 0 "demo: ok after $(seconds "$log") (must hold: $WARM)"
	else
		verdict "$1" 1 "\"$quick_start\" ends with code $rc after $(seconds "$log"): $(why "$log")"
	fi
}

# test_share NAME DIR: "make test" for scenarios that boot guests.
test_share() {
	local log=$logs/$1.log rc=0 command="$test_command T=\"$SHARE\""
	run_inside "$1" "$2" "$command" || rc=$?
	if [ "$rc" = 0 ] && says "$log" '^[1-9][0-9]* passed, 0 failed$'; then
		verdict "$1" 0 "$(why "$log") after $(seconds "$log")"
	else
		verdict "$1" 1 "$command ends with code $rc after $(seconds "$log"): $(why "$log")"
	fi
}

# test_interrupted NAME DIR: a set-up of its own cache is killed again and
# again, with all its processes, and then goes on to a demo.
test_interrupted() {
	local log=$logs/$1.log rc=0 kill after=() command="NLB_CACHE=/root/interrupted $quick_start"
	for ((kill = 0; kill < KILLS; kill++)); do
		after+=($((RANDOM % KILL_SECONDS + 1)))
		inside "$2" "($command) >>/root/interrupted.log 2>&1 & sleep ${after[kill]}; kill -KILL -1" || :
	done
	run_inside "$1" "$2" "$command" || rc=$?
	if [ "$rc" = 0 ] && says "$log" '(^|\] *)demo: ok$'; then
		verdict "$1" 0 "killed after ${after[*]} s, then demo: ok after $(seconds "$log")"
	else
		verdict "$1" 1 "killed after ${after[*]} s, it ends with code $rc: $(why "$log")"
	fi
	inside / "rm -rf /root/interrupted"
}

# try NUMBER SUITE: a Debian release, from nothing to its end.
try() {
	local name=fresh-$1 root=$machines/$1 began=$SECONDS
	lay_cable
	start_proxy "$logs/proxy-$1"
	say "fresh: Debian $1 with git, make and ca-certificates…"
	make_root "$2" "$root"
	git -C "$NLB_ROOT" bundle create --quiet "$root/root/nlb.bundle" HEAD
	boot "$root"
	plug_in "$machine"
	logged "$logs/authorities-$1.log" inside / "update-ca-certificates"
	logged "$logs/clone-$1.log" inside /root "git clone nlb.bundle nlb && git clone nlb.bundle nlb-again"
	test_isolation "$name-isolation"
	if test_readme "$name-readme" "$root/root/nlb/README.md"; then
		test_demo "$name-demo" /root/nlb
		test_warm "$name-demo-again" /root/nlb-again
		test_share "$name-test" /root/nlb
		if [ -n "${LONG:-}" ]; then
			test_interrupted "$name-interrupted" /root/nlb
		fi
	fi
	halt "$root"
	echo "$name: $((SECONDS - began)) s in all; $(proxy_sum "$logs/proxy-$1")"
}

# halt ROOT: end the machine and its proxy; keep its files if that is wanted.
halt() {
	# Its first process is gone when all others are.
	kill -KILL "$machine"
	wait "$unshared" 2>/dev/null || :
	stop_proxy
	remove "$1"
}

# remove ROOT: its files, unless they are to stay.
remove() {
	[ -e "$1" ] || return 0
	if [ -n "${NLB_KEEP:-}" ]; then
		say "fresh: kept: $1"
	else
		rm -rf --one-file-system -- "$1" "$1.pid"
	fi
}

# check_host: the fresh machine uses this one's kernel, so this one must have
# what the README requires, and room for a second set-up from nothing.
check_host() {
	local free
	"$NLB_ROOT/scripts/check-machine.sh" segments
	[ -z "${LONG:-}" ] || ROOM_MIB=$((2 * ROOM_MIB))
	free=$(($(stat -f -c "%a * %S" "$machines") / 1048576))
	[ "$free" -ge "$ROOM_MIB" ] ||
		die "$machines has $free MiB of free disk, and a fresh machine needs $ROOM_MIB:" \
			"make room, or set NLB_CACHE to a directory on a larger disk"
}

# all: the test itself, as the first process of namespaces of its own.
all() {
	trap 'echo "not ok fresh-set-up" && echo "$passed passed, $((failed + 1)) failed"' EXIT
	rm -rf --one-file-system -- "$logs" "$machines"
	mkdir -p "$logs" "$machines"
	check_host
	"$NLB_ROOT/scripts/setup-host.sh"
	fresh_tree
	if [ -n "$(git -C "$NLB_ROOT" status --porcelain)" ]; then
		say "fresh: the checkout has changes that are not committed: what is tested is HEAD"
	fi
	try 13 trixie
	if [ -n "${LONG:-}" ]; then
		try 12 bookworm
	fi
	trap - EXIT
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}

# guarded: run "all" so that every process and every mount of it ends with this
# one, however this one ends.
guarded() {
	local rc=0
	need_root "make test T=fresh"
	# One at a time on the machine: the cable has one name.
	exec 9>/run/nlb-fresh.lock
	flock -n 9 || { say "fresh: another run is at it, waiting" && flock 9; }
	trap 'clean_up; trap - EXIT; exit 130' INT TERM HUP
	trap clean_up EXIT
	# Of a session of its own: Ctrl-C reaches this shell alone, which ends the rest.
	setpriv --pdeathsig KILL setsid unshare --mount --propagation private \
		--pid --fork --kill-child --mount-proc -- "$0" --all 9>&- &
	child=$!
	wait "$child" || rc=$?
	child=
	return "$rc"
}

child=
clean_up() {
	local tries
	if [ -n "$child" ]; then
		say "fresh: interrupted, removing what was made…"
		kill -KILL "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	fi
	[ ! -d "$NLB_FRESH_TREE" ] || cut_cable
	if [ -z "${NLB_KEEP:-}" ]; then
		# What ran there may take a moment to end.
		for ((tries = 0; tries < 50; tries++)); do
			rm -rf --one-file-system -- "$machines" 2>/dev/null && return
			sleep 0.1
		done
		die "what is left of the fresh machine cannot be removed: $machines"
	fi
}

case ${1:-} in
--all) all ;;
'') guarded ;;
*) die "fresh.sh takes no arguments" ;;
esac
