# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The segment of a one-guest scenario: every host, the switch and the client
# are network namespaces of one kernel.
#
#     h1 eth0 ── p1 ┐
#     h2 eth0 ── p2 ┼─ br0 (namespace sw, learning on, snooping off)
#     h3 eth0 ── p3 ┤
#      c eth0 ── pc ┘
#
# Host N is 10.0.0.N/16, the VIP 10.0.0.10, the client 10.0.0.100/16 with the
# whole of 10.1.0.0/16 (and fd01::/64) behind it as its own addresses.

# shellcheck disable=SC2034 # scenarios use them
VIP=10.0.0.10
VIP6=fd00::a
CLIENT=10.0.0.100
SOURCES=10.1.0.0/16
# What Windows and nlb make of 10.0.0.10 in multicast mode.
VIRTUAL_MAC=03:bf:0a:00:00:0a
# For captures: the turns in the life of a TCP connection, without what it carries.
TURNS='tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0'

# on NS CMD…: run CMD in a namespace. (Cheaper than "ip netns exec", which
# also mounts a /sys.)
on() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# without MODULE: true once a module of the kernel is not loaded, nor what an
# earlier scenario has loaded that needs it. Interfaces of such a scenario may
# hold it for a moment: wait_until.
without() {
	local holder
	[ -d "/sys/module/$1" ] || return 0
	for holder in "/sys/module/$1/holders/"*; do
		[ ! -e "$holder" ] || without "$(basename "$holder")" || return 1
	done
	modprobe -r "$1" 2>/run/test/without
}

add_netns() {
	ip netns add "$1"
	defer del_netns "$1"
	ip -n "$1" link set lo up
}

# del_netns NS: with the processes in it, and only when the kernel has let go
# of all its interfaces is the scenario over.
del_netns() {
	local pids
	[ -e "/run/netns/$1" ] || return 0
	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null || :
	ip netns del "$1"
}

# make_switch: the bridge of the segment.
make_switch() {
	add_netns sw
	ip -n sw link add br0 address 02:00:00:00:ff:01 type bridge mcast_snooping 0 forward_delay 0
	ip -n sw link set br0 up
}

# plug NS DEV PORT MAC: a cable from NS to the switch.
plug() {
	ip link add "$2" netns "$1" address "$4" type veth peer name "$3" netns sw
	ip -n sw link set "$3" master br0 up
	ip -n "$1" link set "$2" up
}

host_mac() {
	printf '02:00:00:00:00:%02x\n' "$1"
}

# add_host N: namespace hN on the segment.
add_host() {
	add_netns "h$1"
	on "h$1" sysctl -q net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	plug "h$1" eth0 "p$1" "$(host_mac "$1")"
	ip -n "h$1" addr add "10.0.0.$1/16" dev eth0
	ip -n "h$1" addr add "fd00::$1/64" dev eth0 nodad
	ip -n "h$1" route add "$SOURCES" via "$CLIENT"
	ip -n "h$1" route add fd01::/64 via fd00::64
}

add_client() {
	add_netns c
	on c sysctl -q net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.ip_local_port_range="10000 65000"
	plug c eth0 pc 02:00:00:00:00:64
	ip -n c addr add "$CLIENT/16" dev eth0
	ip -n c addr add fd00::64/64 dev eth0 nodad
	# Every address of these networks is the client's own.
	ip -n c route add local "$SOURCES" dev lo
	ip -n c route add local fd01::/64 dev lo
	# Unlike IPv4's, IPv6's local routes alone do not let a program use an address.
	on c sysctl -q net.ipv6.ip_nonlocal_bind=1
	# It asks for neighbours in its main address's name, not in hundreds.
	on c sysctl -q net.ipv4.conf.all.arp_announce=2
}

# hosts N: the whole segment with N hosts and the client; HOSTS names them.
hosts() {
	local i
	make_switch
	HOSTS=()
	for ((i = 1; i <= $1; i++)); do
		add_host "$i"
		HOSTS+=("h$i")
	done
	add_client
}

# cut_cable N, plug_cable N: the host sees its carrier go, as from a pulled plug.
cut_cable() {
	ip -n sw link set "p$1" down
}

plug_cable() {
	ip -n sw link set "p$1" up
}

# background NS NAME CMD…: run CMD in a namespace until the scenario ends;
# its output goes to /run/test/NAME.log, its pid to /run/test/NAME.pid.
background() {
	local ns=$1 name=$2
	shift 2
	nsenter --net="/run/netns/$ns" -- "$@" >"/run/test/$name.log" 2>&1 &
	printf '%s\n' "$!" >"/run/test/$name.pid"
	defer kill_background "$name"
}

kill_background() {
	local pid
	pid=$(<"/run/test/$1.pid")
	kill "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}

# finish NAME: wait for a background command's own end; its exit code.
finish() {
	wait "$(<"/run/test/$1.pid")"
}

logged_line() {
	grep -q -- "$2" "/run/test/$1.log"
}

# capture NAME NS DEV [FILTER]: start a capture; capture_end NAME ends it. The
# device is made promiscuous: a bridge then shows every frame it forwards.
capture() {
	local name=$1 ns=$2 dev=$3
	shift 3
	background "$ns" "$name" tcpdump -i "$dev" -n -s 160 -B 16384 -U --immediate-mode \
		-w "/run/test/$name.pcap" "$@"
	wait_until 10 logged_line "$name" 'listening on'
	# Frames of the moment before its filter was in place stay in the
	# kernel's count for ever; that many will always be missing.
	capture_lag "$name" >"/run/test/$name.missing"
}

# capture_lag NAME: how many frames the kernel has counted for tcpdump that
# tcpdump has not taken over.
capture_lag() {
	local log=/run/test/$1.log lines
	lines=$(wc -l <"$log")
	# It answers with "tcpdump: N packets captured, M packets received by filter, …".
	kill -USR1 "$(<"/run/test/$1.pid")"
	wait_until 5 longer_than "$log" "$lines" || return 1
	tail -n 1 "$log" | awk '{ print $5 - $2 }'
}

longer_than() {
	[ "$(wc -l <"$1")" -gt "$2" ]
}

# captured_all NAME: true if tcpdump has taken over every frame that it can;
# what it has not when it ends would be lost without a word.
captured_all() {
	[ "$(capture_lag "$1")" -le "$(<"/run/test/$1.missing")" ]
}

# capture_end NAME: end a capture, which must have lost nothing, and analyse
# it into /run/test/NAME.json.
capture_end() {
	local pid
	pid=$(<"/run/test/$1.pid")
	wait_until 10 captured_all "$1" || return 1
	# tcpdump ends in order on this, and has then written everything it got.
	kill -INT "$pid"
	wait "$pid" || :
	if ! grep -q '^0 packets dropped by kernel' "/run/test/$1.log"; then
		cat "/run/test/$1.log"
		return 1
	fi
	tt analyse "/run/test/$1.pcap" >"/run/test/$1.json"
}

# no_reset NAME TEXT: a capture has none; otherwise the log tells all that the
# capture has of the first few connections that were reset.
no_reset() {
	same "$2" 0 "$(field "$1" .rst)"
	field "$1" '.resets[] | "# " + .'
}

# field NAME EXPRESSION: a value of a JSON report in /run/test.
field() {
	jq -r "$2" "/run/test/$1.json"
}

# second_network N…: another network between these hosts: eth1, 192.168.0.N,
# on a switch of its own (br1 in sw).
second_network() {
	local n
	ip -n sw link add br1 address 02:00:00:00:ff:02 type bridge mcast_snooping 0 forward_delay 0
	ip -n sw link set br1 up
	for n in "$@"; do
		ip link add eth1 netns "h$n" address "02:00:00:00:02:0$n" type veth peer name "q$n" netns sw
		ip -n sw link set "q$n" master br1 up
		ip -n "h$n" link set eth1 up
		ip -n "h$n" addr add "192.168.0.$n/24" dev eth1
	done
}

# block_ethertype: only IP and ARP pass the segment.
block_ethertype() {
	on sw nft 'add table bridge block; add chain bridge block forward { type filter hook forward priority 0; }
		add rule bridge block forward ether type 0x88b5 drop'
}

# block_heartbeats: no heartbeat passes the segment any more, nor one inside IP;
# unblock_heartbeats.
block_heartbeats() {
	block_ethertype
	on sw nft 'add rule bridge block forward ip protocol 254 drop
		add rule bridge block forward ip6 nexthdr 254 drop'
}

unblock_heartbeats() {
	on sw nft delete table bridge block
}

# far_side: a router, 10.0.0.200 and fd00::c8, and a client "far" behind it, 10.3.0.2
# and fd03::2, to whom the way takes 1000 bytes (IPv6: 1280) and no more. The hosts
# need a route to it.
far_side() {
	add_netns r
	plug r eth0 pr 02:00:00:00:00:c8
	on r sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n r addr add 10.0.0.200/16 dev eth0
	ip -n r addr add fd00::c8/64 dev eth0 nodad
	add_netns far
	ip link add eth0 netns far type veth peer name far netns r
	ip -n r addr add 10.3.0.1/24 dev far
	ip -n r addr add fd03::1/64 dev far nodad
	ip -n r link set far up
	ip -n far addr add 10.3.0.2/24 dev eth0
	ip -n far addr add fd03::2/64 dev eth0 nodad
	ip -n far link set eth0 up
	ip -n far route add default via 10.3.0.1
	ip -n far route add default via fd03::1
	ip -n r route add 10.3.0.2/32 dev far mtu lock 1000
	ip -n r route add fd03::2/128 dev far mtu lock 1280
}
