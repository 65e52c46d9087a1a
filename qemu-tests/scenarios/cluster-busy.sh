# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: 50 ms × 3: no false eviction while every CPU is busy in userspace and the interface flooded
# clock: counted
# pace: 4
# timeout: 1800
#
# 60 s of the guest's time; with LONG=1 it is 5 minutes. A busy guest executes
# instructions all the time, so its processor is a slow one, of 250 million a
# second: that is harder for the heartbeats, and quicker to emulate.
#
# The guest has one processor. Of two, QEMU before 8.1 runs the second only when
# the first is idle or kicked while the clock is counted; a busy loop on either
# was seen to stand still for 55 ms with nothing else in the guest. That is the
# emulator's silence, and no host's.

seconds=${LONG:+300}
seconds=${seconds:-60}

cluster 3 --period 50ms --tolerance 3
watch 1
watch 2
generation=$(generation h1)
background sw beats tcpdump -i br0 -n -tt -e -l ether proto 0x88b5
wait_until 10 logged_line beats 'listening on'

for ((i = 0; i < 2 * $(nproc); i++)); do
	background sw "burner$i" bash -c 'while :; do :; done'
done
background c flood tt inject --dev eth0 --vip "$VIP" --to-mac "$VIRTUAL_MAC" --ethertype 0800 \
	--random 1000000000

# idle: ticks that the CPUs have been idle; all: ticks of any kind.
ticks() {
	awk '$1 == "cpu" { print $5 + $6, $2 + $3 + $4 + $5 + $6 + $7 + $8 }' /proc/stat
}

# received: frames that the hosts have been given by the switch.
received() {
	local n total=0
	for n in 1 2 3; do
		total=$((total + $(on "h$n" cat /sys/class/net/eth0/statistics/rx_packets 2>/dev/null ||
			ip -n "h$n" -s -j link show eth0 | jq '.[0].stats64.rx.packets')))
	done
	printf '%s\n' "$total"
}

frames=$(received)
read -r idle all < <(ticks)
began=$(wall_ms)
# The shell itself sleeps in the meantime: nothing is asked of the cluster.
pause "$seconds"
took=$(($(wall_ms) - began))
read -r idle_end all_end < <(ticks)
frames=$(($(received) - frames))

kill_background flood
for ((i = 0; i < 2 * $(nproc); i++)); do
	kill_background "burner$i"
done
kill_background beats
note "$took ms of the guest's time, $frames frames of the flood received"
check "every CPU was busy" [ "$(((idle_end - idle) * 50))" -le "$((all_end - all))" ]
check "the interfaces were flooded" [ "$frames" -gt "$((seconds * 1000))" ]
same "the same generation" "$generation" "$(generation h1)"
check "the same members" agree 1 2 3
for n in 1 2; do
	events=0
	while IFS= read -r -t 0.1 -u "${WATCH[$n]}" line; do
		note "host $n: $line"
		# A flood may well drown the probes that look whether the switch delivers.
		[[ $line != *'"event":"starved"'* && $line != *'"event":"delivered"'* ]] || continue
		events=$((events + 1))
	done
	same "events seen by host $n" 0 "$events"
done

# How near to an eviction it came.
gap=$(awk '$3 == ">" || $2 ~ /:/ { if ($2 in last && $1 - last[$2] > worst) worst = $1 - last[$2]; last[$2] = $1 }
	END { printf "%.0f", worst * 1000 }' /run/test/beats.log)
within "longest time between two heartbeats of a host in ms" "$gap" 40 150
