# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Verbs on the cluster itself. Everything known about it is read from
# "nlbadm -j"; the names of its fields are in this file only.

KEY_FILE=/run/test/key

# adm NS ARG…: nlbadm in a namespace; the empty name is this one.
adm() {
	local ns=$1
	shift
	if [ -n "$ns" ]; then
		on "$ns" nlbadm "$@"
	else
		nlbadm "$@"
	fi
}

# load_module: into the kernel, until the scenario ends.
load_module() {
	insmod /nlb/nlb.ko
	defer unload_module
}

# unload_module: as an administrator does it, on all hosts at once.
unload_module() {
	[ -d /sys/module/nlb ] || return 0
	all_down || :
	# A namespace that was deleted before this takes its cluster down when the kernel comes to it.
	wait_until 20 remove_module
}

# all_down: no cluster is left, in any namespace that has a name.
all_down() {
	local ns pid pids=() failed=0
	for ns in '' $(ip netns list | awk '{ print $1 }'); do
		adm "$ns" down --all &
		pids+=("$!")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	[ "$failed" = 0 ]
}

remove_module() {
	rmmod nlb 2>/dev/null
}

make_key() {
	(umask 077 && nlbadm genkey >"$KEY_FILE")
}

# join N [OPTION…]: host N takes part, affinity none unless told otherwise.
# Options of nlbadm come later and win.
join() {
	local n=$1
	shift
	[ -e "$KEY_FILE" ] || make_key
	case " $* " in
	*' --affinity '* | *' --rules '*) ;;
	*) set -- --affinity none "$@" ;;
	esac
	adm "h$n" up eth0 --cluster test --host-id "$n" --vip "$VIP" --key-file "$KEY_FILE" "$@"
}

# vip_device N: the device that host N has its VIPs on, with one cluster; empty without.
vip_device() {
	ip -n "h$1" -j link show type nlb | jq -r '.[].ifname // empty'
}

# vips_of N: the VIPs that are addresses of host N, whichever device has them.
vips_of() {
	ip -n "h$1" -j addr show | jq -r --arg v4 "$VIP" --arg v6 "$VIP6" '[.[].addr_info[]? | .local |
		select(. == $v4 or . == $v6)] | sort | join(" ")'
}

# leave N: host N takes its cluster down.
leave() {
	adm "h$1" down eth0
}

# cluster N [OPTION…]: the segment with N hosts, a server in each, all joined
# and converged. Kept busy by nothing: scenarios start their own load.
cluster() {
	local n=$1 i
	shift
	hosts "$n"
	load_module
	for ((i = 1; i <= n; i++)); do
		serve "$i"
		join "$i" "$@"
	done
	wait_converged "$n"
}

# serve N: "host N" at ports 80 (TCP) and, once it has the VIP, 53 (UDP).
serve() {
	background "h$1" "serve$1" tt serve --id "$1" --listen "[::]:80"
	wait_until 10 logged_line "serve$1" serving
}

# seen NS [IFACE]: the generation and the converged members as seen there:
# "7: 1 2 3".
seen() {
	adm "$1" -j show "${2:-eth0}" | jq -r '.[0] | "\(.generation): " + ([.hosts[] |
		select(.member and .state == "converged").host_id] | sort | join(" "))'
}

# members_are NS IFACE ID…: true if those, and no others, are converged members.
members_are() {
	local ns=$1 dev=$2 view
	shift 2
	view=$(seen "$ns" "$dev" 2>/dev/null) && [ "${view#*: }" = "$*" ]
}

# generation NS: the number of the agreed outcome.
generation() {
	adm "$1" -j show eth0 | jq -r '.[0].generation'
}

# state N, out_reason N: what host N says of itself.
state() {
	adm "h$1" -j show eth0 | jq -r '.[0].state'
}

out_reason() {
	adm "h$1" -j show eth0 | jq -r '.[0].out_reason'
}

# state_is N STATE
state_is() {
	[ "$(state "$1" 2>/dev/null)" = "$2" ]
}

# agree ID…: every one of these hosts sees exactly these as members, in one
# generation.
agree() {
	local id view first=''
	for id in "$@"; do
		view=$(seen "h$id" 2>/dev/null) || return 1
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
		adm "h$id" show eth0 || :
		adm "h$id" history eth0 || :
	done
	return 1
}

# wait_converged N: hosts 1 to N are the cluster.
wait_converged() {
	# shellcheck disable=SC2046
	wait_agree 30 $(seq 1 "$1")
}

# counter NS NAME: the value of a counter, 0 where it is not listed.
counter() {
	adm "$1" -j counters eth0 --all | jq -r --arg name "$2" '.counters[$name] // 0'
}

# stretch OPTION…: sets OPTIONS to these options of "tt connect", as the kernel
# needs them: a slow one gets a multiple of the time, and is as busy with far
# fewer requests, at once and altogether.
stretch() {
	local patience=${NLB_PATIENCE:-1} word last=''
	OPTIONS=()
	case " $* " in
	*' --timeout-ms '*) ;;
	*) set -- --timeout-ms 5000 "$@" ;;
	esac
	[ "$patience" = 1 ] || case " $* " in
	*' --parallel '*) ;;
	*) set -- --parallel 8 "$@" ;;
	esac
	for word; do
		case $last in
		--timeout-ms) word=$((word * patience)) ;;
		--interval-ms) word=$((word * patience * patience)) ;;
		esac
		OPTIONS+=("$word")
		last=$word
	done
}

# requests COUNT NAME [OPTION…]: connections to the VIP from many addresses;
# the report is /run/test/NAME.json.
requests() {
	local count=$1 name=$2 OPTIONS
	shift 2
	stretch "$@"
	on c tt connect --to "$VIP:80" --from "$SOURCES" --count "$count" "${OPTIONS[@]}" >"/run/test/$name.json"
	note "$name: $(cat "/run/test/$name.json")"
}

# requests6 COUNT NAME [OPTION…]: the same over IPv6.
requests6() {
	local count=$1 name=$2 OPTIONS
	shift 2
	stretch "$@"
	on c tt connect --to "[$VIP6]:80" --from fd01::/64 --count "$count" "${OPTIONS[@]}" >"/run/test/$name.json"
	note "$name: $(cat "/run/test/$name.json")"
}

# load NAME [OPTION…]: requests until load_end NAME.
load() {
	local name=$1 OPTIONS
	shift
	stretch "$@"
	background c "$name" tt connect --to "$VIP:80" --from "$SOURCES" \
		--until "/run/test/$name.end" "${OPTIONS[@]}"
}

load_end() {
	touch "/run/test/$1.end"
	finish "$1" || { cat "/run/test/$1.log"; return 1; }
	cp "/run/test/$1.log" "/run/test/$1.json"
	note "$1: $(cat "/run/test/$1.json")"
}

# share NAME ID: the percentage of a report's answers that came from a host.
share() {
	field "$1" "(.hosts.\"$2\" // 0) * 1000 / .requests | round / 10"
}

# crash N: host N is gone at once, as by a power cut: its cable is pulled out
# of the switch and all its processes die; it says no goodbye. What its kernel
# would have done afterwards cannot reach anyone.
crash() {
	ip -n sw link set "p$1" nomaster
	kill_background "serve$1"
}

# shown N EXPRESSION: what jq makes of "nlbadm -j show" at host N.
shown() {
	adm "h$1" -j show eth0 | jq -r "$2"
}

# relay N ID…: host N carries heartbeats to these hosts over the second network.
relay() {
	local options
	mapfile -t options < <(relay_options "$@")
	background "h$1" "relay$1" nlbadm relay eth0 "${options[@]}"
}

# steady MS CMD…: CMD holds at every look for so long.
steady() {
	local until=$(($(now_ms) + $1))
	shift
	while [ "$(now_ms)" -lt "$until" ]; do
		"$@" || return 1
		pause 0.1
	done
}
