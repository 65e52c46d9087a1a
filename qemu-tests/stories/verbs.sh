# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs of stories (qemu-tests/story.py), beside those of system/verbs.sh and
# guests/segment.sh. Their hosts are Debian systems with the servers of the variant
# "servers" (scripts/packages.sh), which run when a story starts them.

STORY=$(dirname "$1")
TOOLS=$NLB_TESTS/stories/tools
STORY_BEGAN=$(now_ms)
# Programs for the client that its machine lacks (scripts/setup-system.sh).
CLIENT_PROGRAMS=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["payload"])' "$NLB_LAB_DIR/lab.json")/client

# seconds: since the story began, as it is printed.
seconds() {
	local ms=$(($(now_ms) - STORY_BEGAN))
	printf '%4d.%d' "$((ms / 1000))" "$((ms % 1000 / 100))"
}

# tell TEXT…: a line for people who watch.
tell() {
	printf '[%s s] %s\n' "$(seconds)" "$*" | show
}

# show: lines from standard input, for people who watch.
show() {
	tee -a /dev/fd/5
}

# file_of_cluster FILE N…: a file of the story is /etc/nlb/web.toml of these hosts from now on.
file_of_cluster() {
	cp "$STORY/$1" "$RUN/web.toml"
	shift
	check "hosts $*: the other file of the cluster" at_once configure_nlb "$@"
}

# named N…: "host 1", or "hosts 1 2".
named() {
	[ "$#" = 1 ] && printf 'host %s\n' "$1" || printf 'hosts %s\n' "$*"
}

# line_on N LINE: a line on host N; what it says is kept in said.N.
line_on() {
	local rc=0
	guest "$1" "$2" >"$RUN/said.$1" 2>&1 || rc=$?
	cat "$RUN/said.$1"
	return "$rc"
}

# said N…: what these hosts have said to a line that asks: of each, or of the first where that is long.
said() {
	local n
	if [ "$(wc -l <"$RUN/said.$1")" -gt 2 ]; then
		sed 's/^/    /' "$RUN/said.$1" | show
		return
	fi
	for n in "$@"; do
		sed "s/^/    host $n: /" "$RUN/said.$n" | show
	done
}

# commands "N…" FILE: each line of a file of the story, on these hosts at once, as
# somebody types it there.
commands() {
	local hosts=$1 n line pids=() rc
	while IFS= read -r line; do
		case $line in '' | '#'*) continue ;; esac
		# shellcheck disable=SC2086 # a list of hosts
		tell "$(named $hosts): $line"
		for n in $hosts; do
			line_on "$n" "$line" &
			pids[n]=$!
		done
		for n in $hosts; do
			rc=0
			wait "${pids[n]}" || rc=$?
			same "host $n: $line: exit code" 0 "$rc"
		done
		# shellcheck disable=SC2086 # a list of hosts
		case $line in 'nlbadm '* | 'ip '* | 'curl '* | 'nft '* | 'podman ps'*) said $hosts ;; esac
	done <"$STORY/$2"
}

# install_nlb N: the tool, the daemon and the module for the host's kernel, with apt.
install_nlb() {
	local release
	release=$(guest "$1" uname -r) || return 1
	copy "$1" /root "$DEBS"/nlbadm_*.deb "$DEBS"/nlbd_*.deb "$DEBS/nlb-modules-${release}"_*.deb &&
		apt "$1" install ./nlbadm_*.deb ./nlbd_*.deb ./nlb-modules-*.deb
}

# configure_nlb N: the file of the cluster, which is right: web.toml of the story, unless it has chosen another.
configure_nlb() {
	[ -e "$RUN/web.toml" ] || cp "$STORY/web.toml" "$RUN/web.toml"
	copy "$1" /etc/nlb "$RUN/web.toml" && guest "$1" nlbadm check /etc/nlb/web.toml
}

enable_nlb() {
	guest "$1" systemctl enable --now nlb@web && wait_until 120 guest "$1" systemctl is-active nlb-serve@web
}

# prepare N…: all that a host needs before it joins, with one key for all.
prepare() {
	tell "hosts $*: apt install ./nlbadm_*.deb ./nlbd_*.deb ./nlb-modules-*.deb"
	check "hosts $*: apt install" at_once install_nlb "$@"
	check "hosts $*: one key, /etc/nlb/web.key" make_key web "$@"
	check "hosts $*: one file, /etc/nlb/web.toml, and nlbadm check" at_once configure_nlb "$@"
}

# join N…: these hosts become members, all at once.
join() {
	tell "$(named "$@"): systemctl enable --now nlb@web"
	check "hosts $*: systemctl enable --now nlb@web" at_once enable_nlb "$@"
}

# farm N…: these hosts are a cluster.
farm() {
	prepare "$@"
	join "$@"
	check "hosts $*: members in one generation" wait_agree 120 "$@"
	tell "hosts $* are a cluster"
}

# event TEXT…: something that happened, for timelines as well.
event() {
	tell "$*"
	printf '%s %s\n' "$(now_ms)" "$*" >>"$RUN/events"
}

# load_client NAME [OPTION…]: requests of many clients until load_client_end NAME
# (tools/load.py); a line for each is in NAME.list.
load_client() {
	local name=$1
	shift
	client python3 -B "$TOOLS/load.py" --list "$RUN/$name.list" --until "$RUN/$name.end" "$@" \
		>"$RUN/$name.json" &
	CLIENT_PID=$!
	defer touch "$RUN/$name.end"
	wait_until 60 [ -s "$RUN/$name.list" ]
}

load_client_end() {
	touch "$RUN/$1.end"
	wait "$CLIENT_PID"
	note "$1: $(cat "$RUN/$1.json")"
}

# ask NAME COUNT [OPTION…]: so many requests; the summary is NAME.json.
ask() {
	local name=$1 count=$2
	shift 2
	client python3 -B "$TOOLS/load.py" --list "$RUN/$name.list" --count "$count" "$@" >"$RUN/$name.json"
	note "$name: $(cat "$RUN/$name.json")"
}

# timeline NAME [OPTION…]: the table of answers by second, with events among them.
timeline() {
	local name=$1
	shift
	touch "$RUN/events"
	python3 -B "$TOOLS/timeline.py" "$RUN/$name.list" --events "$RUN/events" "$@" | show
}

# client_program NAME ARG…: one of the client's programs.
client_program() {
	local name=$1
	shift
	client env LD_LIBRARY_PATH="$CLIENT_PROGRAMS/lib" "$CLIENT_PROGRAMS/bin/$name" "$@"
}
