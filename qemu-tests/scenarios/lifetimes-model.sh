# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: random events of all devices of several namespaces, beside two administrators and traffic
# clock: real
# cpus: 2
# timeout: 900
# long-timeout: 7200
#
# "tt model" makes the events and knows what must come of them. Sequences that
# failed once come first (qemu-tests/sequences). The log tells the seed; SEED=n
# repeats the sequence, though not how the three interleave. LONG=1 makes it
# 20,000 events instead of 1,000, LONG=n makes it n.
#
# A sequence that fails is made short by qemu-tests/minimize, which runs parts of
# it by ONLY=1-20,33 (of a sequence of EVENTS events).
#
# Host 1 is hit by none of it, and serves on.

EVENTS=${EVENTS:-${LONG:-1000}}
[ "$EVENTS" != 1 ] || EVENTS=20000
SEEN=/sys/kernel/debug/netdev_events/seen

# model NAME OPTION…: runs a sequence; what it prints is the log, and its last
# line the report /run/test/NAME.json.
model() {
	local name=$1 code=0
	shift
	tt model --key-file "$KEY_FILE" --patience "${NLB_PATIENCE:-1}" --pause-ms $((3 * ${NLB_PATIENCE:-1})) "$@" 2>&1 |
		tee "/run/test/$name.log" || code=$?
	if [ "$code" != 0 ]; then
		fail "$name: $(grep -o 'FAILED [a-z]*: .*' "/run/test/$name.log" || tail -n 1 "/run/test/$name.log")"
		# What a run leaves that stopped half way is in the way of all else.
		exit 1
	fi
	tail -n 1 "/run/test/$name.log" >"/run/test/$name.json"
	pass "$name: the kernel agrees with the model"
}

hosts 1
make_key
load_module
modprobe tun

if [ -n "${ONLY:-}" ]; then
	model part --seed "$SEED" --events "$EVENTS" --only "$ONLY" ${PLANT:+--plant "$PLANT"}
	return
fi

for file in /nlb/sequences/*.steps; do
	[ ! -e "$file" ] || model "$(basename "$file" .steps)" --replay "$file"
done

serve 1
load busy --sources 200 --interval-ms 25 --timeout-ms 1000
insmod /nlb/netdev_events.ko
defer rmmod netdev_events
note "seed $SEED, $EVENTS events"
model random --seed "$SEED" --events "$EVENTS" ${PLANT:+--plant "$PLANT"}
same "device events" "$EVENTS" "$(field random .events)"
note "done: $(field random '.done | tojson')"
note "refused: $(field random '.refused | tojson')"
note "requests: $(field random '.requests | tojson')"
note "notifications: $(awk '$2 > 0 { printf "%s %s, ", $1, $2 }' "$SEEN")"
note "none of: $(awk '$2 == 0 { printf "%s ", $1 }' "$SEEN")"
load_end busy
check "host 1 goes on alone" wait_agree 30 1
requests 200 alone
same "host 1 answers everything" 200 "$(field alone .answered)"

# And everything can be made anew.
for k in 2 3; do
	add_host "$k"
	serve "$k"
	join "$k" --mode multicast --vip "$VIP6"
done
check "new hosts are members" wait_agree 30 1 2 3
requests 300 anew
same "all answered" 300 "$(field anew .answered)"
same "by all" 3 "$(field anew '.hosts | length')"
