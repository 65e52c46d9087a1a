# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what the kernel's drop monitor is told of the packets that nlb drops
#
# The event that the drop monitor listens to, looked at as a trace: where the
# packet was dropped, and which reason it gives. Each frame that goes out by
# moved0 arrives at the other host.

PACKETS=40
TRACE=/sys/kernel/tracing

load_module
load_gun
moved_device
[ -e "$TRACE/events" ] || mount -t tracefs tracefs "$TRACE"
echo 1 >"$TRACE/events/skb/kfree_skb/enable"
# shellcheck disable=SC2016
defer bash -c 'echo 0 >"$1"' disable "$TRACE/events/skb/kfree_skb/enable"

# poke LINE AT HEX: the frame with other bytes from byte AT on.
poke() {
	local address port hex
	read -r address port hex <<<"$1"
	echo "$address $port ${hex:0:$2*2}$3${hex:$2*2+${#3}}"
}

# counted HOST REASON: how often; HOST 1 is this namespace.
counted() {
	local at=(on m2 nlbadm -j counters eth0 --all)
	[ "$1" = 2 ] || at=(nlbadm -j counters moved0 --all)
	"${at[@]}" | jq ".counters[\"$2\"]"
}

# told HOST COUNTER REASON PLACE LINE: packets that are counted so by the host,
# and what the monitor is told of them.
told() {
	local host=$1 counter=$2 reason=$3 place=$4 before
	before=$(counted "$host" "$counter")
	: >"$TRACE/trace"
	fire moved0 tx "$PACKETS" "$5" >/dev/null
	all_counted() {
		[ "$(($(counted "$host" "$counter") - before))" -ge "$PACKETS" ]
	}
	check "$counter: counted" wait_until 10 all_counted
	grep -c "location=$place+.* reason: $reason\$" "$TRACE/trace" >/run/test/told || :
	[ "$(</run/test/told)" = "$PACKETS" ] ||
		note "$(sed -n 's/.*location=\(.*\)/\1/p' "$TRACE/trace" | sort | uniq -c | sort -rn | head -n 5)"
	same "$counter: the monitor is told $reason at $place" "$PACKETS" "$(</run/test/told)"
}

mine=$(on m2 nlbadm -j owner --batch </run/test/moved-flows |
	jq -rs '[.[] | select(.owner == 1)][0] | "\(.client):\(.client_port)"')
theirs=$(of_client "$(frame tcp-data 4 | sed "s/0a63000a/0a620063/g")" "${mine%:*}" "${mine#*:}" 80)
plain=$MOVED_MISS

# What nearly all dropped packets are is left to netfilter.
told 2 dropped-not-owner NETFILTER_DROP nf_hook_slow "$theirs"
# All else is told by the module. The IPv4 header begins at byte 14.
told 2 silent-mid-flow NO_SOCKET nlb_helper_drop "$plain"
told 2 silent-syn-ack NO_SOCKET nlb_helper_drop "$(poke "$plain" 47 12)"
told 2 malformed-version IP_INHDR nlb_helper_drop "$(poke "$plain" 14 65)"
told 2 malformed-header-length IP_INHDR nlb_helper_drop "$(poke "$plain" 14 44)"
told 2 malformed-length PKT_TOO_SMALL nlb_helper_drop "$(poke "$plain" 16 0fff)"
told 2 malformed-source IP_INVALID_SOURCE nlb_helper_drop "$(poke "$plain" 26 00000000)"
told 2 malformed-transport HDR_TRUNC nlb_helper_drop "$(poke "$plain" 16 001e)"
# On its way out: a frame with the virtual MAC as its source.
told 1 dropped-virtual-source MAC_INVALID_SOURCE nlb_helper_drop "$(poke "$plain" 6 "${plain:4:12}")"
