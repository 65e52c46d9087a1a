# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What a packet costs, in instructions. Only under the counted clock, where
# virtual time advances one nanosecond with each instruction of the guest: then
# 10^9 / packets per second is instructions per packet, whatever else the
# machine does. Packets are made by pktgen and handed to the receive path of a
# dummy interface, 32 times each.

COST_DEVICE=cost0
COST_PACKETS=40000

# cost_device: the interface whose receive path is measured, with an address.
cost_device() {
	modprobe pktgen
	ip link add "$COST_DEVICE" type dummy
	defer ip link del "$COST_DEVICE"
	ip link set "$COST_DEVICE" arp on multicast on up
	ip addr add 10.99.0.1/16 dev "$COST_DEVICE"
}

# pg FILE LINE…: settings of pktgen.
pg() {
	local file=/proc/net/pktgen/$1 line
	shift
	for line in "$@"; do
		echo "$line" >"$file"
	done
}

# cost DST [SETTING…]: instructions per received packet to an address, from
# random clients. The first of two runs warms the caches and is not told.
cost() {
	local dst=$1 run
	shift
	for run in warm-up told; do
		pg kpktgend_0 rem_device_all "add_device $COST_DEVICE"
		pg "$COST_DEVICE" "xmit_mode netif_receive" "count $COST_PACKETS" "delay 0" \
			"pkt_size 60" "burst 32" "dst $dst" "dst_mac 03:bf:0a:63:00:0a" \
			"src_min 10.99.1.0" "src_max 10.99.250.255" "flag IPSRC_RND" \
			"udp_src_min 1024" "udp_src_max 65000" "flag UDPSRC_RND" \
			"udp_dst_min 80" "udp_dst_max 80" "$@"
		pg pgctrl start
		[ "$run" = told ] || continue
		awk '/pps/ { for (i = 1; i <= NF; i++) if ($i ~ /pps$/) printf "%.1f\n", 1e9 / $i }' \
			"/proc/net/pktgen/$COST_DEVICE"
	done
	pg kpktgend_0 rem_device_all
}

# floor VERDICT DST: the same with a hook that does nothing but return a verdict
# (drop or accept).
floor() {
	local accept=0
	[ "$1" = drop ] || accept=1
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" accept="$accept"
	cost "$2"
	rmmod empty_hook
}

# above A B: A - B
above() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.0f", a - b }'
}
