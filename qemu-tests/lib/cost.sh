# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What a packet costs, in instructions. Only under the counted clock, where
# virtual time advances one nanosecond with each instruction of the guest: then
# the nanoseconds that a packet takes are its instructions, whatever else the
# machine does. Frames are those of bench/cases (nlbtest/frames.py), made by
# bench/gun and handed to the receive path of an interface, 32 times each.

COST_DEVICE=cost0
COST_PACKETS=1600
COST_RUNS=16
COST_VIP=10.99.0.10
COST_VIP6=fd99::a
# The client's last 20 bits are chosen anew for each buffer.
COST_MASK=fffff
COST_BURST=32
GUN=/sys/kernel/debug/gun/fire

# load_gun: the generator.
load_gun() {
	insmod /nlb/gun.ko
	defer rmmod gun
}

# cost_device: the interface whose receive path is measured, with an address.
cost_device() {
	load_gun
	ip link add "$COST_DEVICE" type dummy
	defer ip link del "$COST_DEVICE"
	ip link set "$COST_DEVICE" arp on multicast on up
	ip addr add 10.99.0.1/16 dev "$COST_DEVICE"
}

# tracking_device: the same with the module, rules that track every datagram
# (/run/test/tracked.toml), and a hook behind nlb's that keeps from the stack what passes.
tracking_device() {
	cost_device
	# shellcheck disable=SC2034
	COST_BURST=1
	printf '[[rule]]\nports = "0-65535"\naffinity = "none"\ntrack = "on"\n' >/run/test/tracked.toml
	load_module
	# What passes is not to reach the stack.
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
	defer rmmod empty_hook
}

# frame CASE FAMILY: the case as a line "ADDRESS_AT PORT_AT HEX".
frame() {
	sed -n "s/^$1 $2 //p" /nlb/bench/cases
}

# of_client LINE ADDRESS PORT [VIP_PORT]: the same TCP segment over IPv4, of one
# client only.
of_client() {
	local address port hex words
	read -r address port hex <<<"$1"
	# shellcheck disable=SC2086
	words=$(printf '%02x%02x%02x%02x' ${2//./ })
	hex=${hex:0:address*2}$words${hex:address*2+8}
	hex=${hex:0:port*2}$(printf '%04x%04x' "$3" "${4:-80}")${hex:port*2+8}
	echo "0 0 $hex"
}

# fire DEVICE MODE COUNT LINE: the frames of a case, once; the time they took,
# in nanoseconds.
fire() {
	local address port hex mask=$COST_MASK
	read -r address port hex <<<"$4"
	if [ "$mask" = 0 ]; then
		port=0
	fi
	[ "$address" != 0 ] || mask=0
	echo "$1 $2 $3 $COST_BURST $address $mask $port $hex" >"$GUN"
	cat "$GUN"
}

# cost_of DEVICE MODE LINE: instructions for each packet, the least of several
# runs. The first one warms up whatever there is to warm. A run takes less than
# the 4 ms between two ticks of the guest's timer, unless a packet takes more than
# 2,500 instructions, so most runs have no tick in them, nor anything else that a
# guest has to do besides.
cost_of() {
	local least=0 now run
	fire "$1" "$2" 1600 "$3" >/dev/null
	for ((run = 0; run < COST_RUNS; run++)); do
		now=$(fire "$1" "$2" "$COST_PACKETS" "$3")
		if [ "$least" = 0 ] || [ "$now" -lt "$least" ]; then
			least=$now
		fi
	done
	awk -v ns="$least" -v n="$COST_PACKETS" 'BEGIN { printf "%.1f\n", ns / n }'
}

# cost CASE [FAMILY]: the same on the interface that is measured.
cost() {
	cost_of "$COST_DEVICE" rx "$(frame "$1" "${2:-4}")"
}

# with_hook DEVICE OPTION… -- CMD…: a command while the empty hook is there.
with_hook() {
	local device=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	insmod /nlb/empty_hook.ko device="$device" "${options[@]}"
	"$@"
	rmmod empty_hook
}

# floor VERDICT CASE [FAMILY]: the same with a hook that does nothing but return
# a verdict; what it accepts, another one drops.
floor() {
	case $1 in
	drop) with_hook "$COST_DEVICE" -- cost "$2" "${3:-4}" ;;
	accept) with_hook "$COST_DEVICE" accept=1 backstop=1 -- cost "$2" "${3:-4}" ;;
	esac
}

# passed CASE [FAMILY]: what a packet costs that nlb lets pass, but not what
# becomes of it in the stack: a hook behind nlb's drops it.
passed() {
	with_hook "$COST_DEVICE" first=0 backstop=1 -- cost "$@"
}

# above A B: A - B
above() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.0f", a - b }'
}

# cost_rules N: a file of N rules that cover all ports from 80 on.
cost_rules() {
	local i file=/run/test/cost$1.toml
	for ((i = 0; i < $1 - 1; i++)); do
		printf '[[rule]]\nports = %s\naffinity = "none"\n\n' $((80 + i))
	done >"$file"
	printf '[[rule]]\nports = "%s-65535"\naffinity = "none"\n' $((79 + $1)) >>"$file"
	echo "$file"
}

# cost_up RULES VIPS [OPTION…]: a cluster on the interface, of one host. One of
# its VIPs, if there are two or more, is of IPv6.
cost_up() {
	local rules=$1 vips=$2 i list=(--vip "$COST_VIP")
	shift 2
	for ((i = 2; i <= vips; i++)); do
		if [ "$i" = 2 ]; then
			list+=(--vip "$COST_VIP6")
		else
			list+=(--vip "10.99.1.$i")
		fi
	done
	nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --rules "$(cost_rules "$rules")" \
		"${list[@]}" "$@"
}

cost_down() {
	nlbadm down "$COST_DEVICE"
}

# cost_converged: until it owns all buckets.
cost_converged() {
	wait_until 20 members_are '' "$COST_DEVICE" 1
}

# moved_device: an interface whose cluster has handed over some of its buckets:
# the other host is behind it, and made connections before it joined. Sets
# MOVED_HIT and MOVED_MISS, lines for the generator: a segment of a connection
# that lives here, and one of the same bucket that is of none.
moved_device() {
	local client
	add_netns m2
	ip link add moved0 address 02:00:00:00:99:01 type veth peer name eth0 netns m2
	defer ip link del moved0
	ip link set moved0 up
	ip addr add 10.98.0.1/16 dev moved0
	ip -n m2 link set eth0 up
	ip -n m2 addr add 10.98.0.2/16 dev eth0
	nlbadm up moved0 --cluster moved --host-id 1 --no-key --vip "$MOVED_VIP" --affinity none
	defer nlbadm down moved0
	wait_until 20 members_are '' moved0 1
	tt serve --id 1 --listen 0.0.0.0:80 >/run/test/moved-serve.log 2>&1 &
	printf '%s\n' "$!" >/run/test/moved-serve.pid
	defer kill_background moved-serve
	wait_until 10 logged_line moved-serve serving
	# shellcheck disable=SC2016
	background m2 moved-clients bash -c '
		for fd in {10..25}; do eval "exec $fd<>/dev/tcp/$1/80"; done
		echo connected
		read -r <> <(:)' clients "$MOVED_VIP"
	wait_until 20 logged_line moved-clients connected
	on m2 ss -Htn state established | awk -v vip="$MOVED_VIP" '{ print $3, vip ":80" }' >/run/test/moved-flows
	on m2 nlbadm up eth0 --cluster moved --host-id 2 --no-key --vip "$MOVED_VIP" --affinity none
	wait_until 30 members_are '' moved0 1 2
	client=$(nlbadm -j owner --batch </run/test/moved-flows |
		jq -rs '[.[] | select(.owner == 2)][0] | "\(.client):\(.client_port)"')
	note "the client of a bucket that has moved: $client"
	# shellcheck disable=SC2034
	MOVED_HIT=$(of_client "$(frame tcp-data 4 | sed "s/0a63000a/0a620063/g")" "${client%:*}" "${client#*:}" 80)
	# shellcheck disable=SC2034
	MOVED_MISS=$(of_client "$(frame tcp-data 4 | sed "s/0a63000a/0a620063/g")" "${client%:*}" "${client#*:}" 81)
}
MOVED_VIP=10.98.0.99

# What a heartbeat costs is told in the same way, of a host in this namespace
# with others in a process of the namespace "company", at the other end of a
# cable: they join it, and then send heartbeats in bursts. What sending them
# costs, and the way to the hook, is measured with the empty hook and taken off.

HEARTBEAT_DEVICE=hb0
HEARTBEAT_PERIOD_MS=1000
HEARTBEAT_TOLERANCE=20

# heartbeat_device: the interface of the one host, cabled to the others.
heartbeat_device() {
	add_netns company
	ip link add "$HEARTBEAT_DEVICE" type veth peer name eth0 netns company
	defer ip link del "$HEARTBEAT_DEVICE"
	ip link set "$HEARTBEAT_DEVICE" up
	ip -n company link set eth0 up
	ip addr add 10.97.0.1/16 dev "$HEARTBEAT_DEVICE"
}

# heartbeat_cost HOSTS: what the hook takes for a heartbeat of another host of
# so many, over an empty hook, in instructions. The report with the length of
# the frame and the blocks of its digest is /run/test/heartbeatHOSTS.json.
heartbeat_cost() {
	local hosts=$1 saved=/run/test/heartbeats$1 report=heartbeat$1 accepted
	[ -e "$KEY_FILE" ] || make_key
	nlbadm up "$HEARTBEAT_DEVICE" --cluster cost --host-id 1 --vip 10.97.0.10 --affinity none \
		--key-file "$KEY_FILE" --period "${HEARTBEAT_PERIOD_MS}ms" --tolerance "$HEARTBEAT_TOLERANCE"
	on company tt company --dev eth0 --cluster cost --hosts "$hosts" --key-file "$KEY_FILE" \
		--period-ms "$HEARTBEAT_PERIOD_MS" --tolerance "$HEARTBEAT_TOLERANCE" \
		--save "$saved" >"/run/test/$report.whole.json"
	accepted=$(nlbadm -j counters "$HEARTBEAT_DEVICE" --all | jq '.counters.heartbeat')
	nlbadm down "$HEARTBEAT_DEVICE"
	insmod /nlb/empty_hook.ko device="$HEARTBEAT_DEVICE"
	on company tt company --dev eth0 --cluster cost --hosts "$hosts" --key-file "$KEY_FILE" \
		--period-ms "$HEARTBEAT_PERIOD_MS" --tolerance "$HEARTBEAT_TOLERANCE" \
		--save "$saved" --again >"/run/test/$report.floor.json"
	rmmod empty_hook
	jq -n --slurpfile whole "/run/test/$report.whole.json" --slurpfile floor "/run/test/$report.floor.json" \
		--argjson accepted "$accepted" '$whole[0] + { ns: ($whole[0].ns - $floor[0].ns), floor: $floor[0].ns,
		accepted: $accepted }' >"/run/test/$report.json"
	field "$report" .ns
}
