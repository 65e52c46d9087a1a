# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each call to the kernel that an operation makes is refused once: the old state or the new one, and the cause by name
# timeout: 1800
#
# On the stock kernel every eighth call is tried, from a random one on; all with
# LONG=1, and on the debug kernel, which sees what a refusal leaks.

VIP6=fd00::a

hosts 2
second_network 1 2
load_module
make_key
(umask 077 && nlbadm genkey >/run/test/key2)
refuse_load nlbadm
[ "${LONG:-}${NLB_PATIENCE:-1}" != 1 ] || REFUSE_STEP=8

cat >/run/test/rules.toml <<EOF
[[rule]]
ports = 443
affinity = "none"
[[rule]]
ports = "8000-8099"
mode = "single"
priorities = { 1 = 2 }
[[rule]]
ports = "10000-65535"
protocols = "udp"
track = "on"
EOF

TOTAL=0

# configuration: what requests change on host 1, and what they leave elsewhere.
configuration() {
	adm h1 -j show | jq -S '.[] | {interface, name, host_id, mode, vips, virtual_mac, virtual_mac_v6, conflict,
		allow_other_interfaces, echo, responder, sessions_max, dedicated_ip, affinity, weight, period_ms, tolerance,
		authenticated, key_id, rules, pending, state: (if .state == "converging" then "converged" else .state end)}'
	if [ "$(adm h1 -j show)" != '[]' ]; then
		adm h1 -j rules eth0 | jq -S '.rules[] | del(.buckets, .share_percent, .accepted, .dropped)'
		adm h1 -j key list eth0 | jq -S .keys
	fi
	ip -n h1 -o addr show | sed 's/ *valid_lft.*//; s/^[0-9]*: nlb[0-9]*/nlb/'
	ip -n h1 maddr show dev eth0
}

# after_operation CODE: after one of whose calls one was refused. A command may
# be done and then fail to ask for more, or come to a stop between two steps; it says so.
after_operation() {
	local now
	now=$(configuration)
	if [ "$1" = 0 ] || grep -q 'handed over' /run/test/out; then
		[ "$now" = "$DONE" ] || broken "$DONE" "$now"
	elif grep -q 'has stopped' /run/test/out; then
		[ "${now/\"stopped\"/\"converged\"}" = "$BEFORE" ] || broken "$BEFORE" "$now"
		adm h1 start eth0
		wait_agree 30 1
		return
	else
		[ "$now" = "$BEFORE" ] || broken "$BEFORE" "$now"
		# A new device cannot be busy (netdev_rx_handler_register), so nothing more is said of that.
		grep -qiE 'memory|buffer space|too long|being unloaded|resource busy' /run/test/out || MUTE=$((MUTE + 1))
	fi
	[ "$now" = "$BEFORE" ] || "$UNDO"
}

# broken WANTED FOUND
broken() {
	BROKEN=$((BROKEN + 1))
	note "$(diff <(echo "$1") <(echo "$2") || :)"
}

# operation UNDO ARG…: nlbadm on host 1; UNDO takes back what it does.
operation() {
	UNDO=$1
	shift
	BROKEN=0
	MUTE=0
	BEFORE=$(configuration)
	adm h1 "$@" >/run/test/out
	DONE=$(configuration)
	[ "$DONE" = "$BEFORE" ] || "$UNDO"
	check "$*: is taken back by $UNDO" [ "$(configuration)" = "$BEFORE" ]
	refuse_each after_operation adm h1 "$@"
	TOTAL=$((TOTAL + REFUSED))
	same "$*: refused, and neither the old state nor the new one" 0 "$BROKEN"
	same "$*: refused without a word of the cause" 0 "$MUTE"
}

# covers NAME…: the operations of the family that come next.
covers() {
	printf '%s\n' "$@" >>/run/test/covered
}

# shape: of the last answer, without what time changes.
shape() {
	jq -cS '[paths | map(tostring) | join(".")] | sort' /run/test/out
}

after_question() {
	if [ "$1" = 0 ]; then
		[ "$(shape)" = "$WHOLE" ] || BROKEN=$((BROKEN + 1))
	else
		grep -qiE 'memory|buffer space|too long' /run/test/out || MUTE=$((MUTE + 1))
	fi
}

# question ARG…: nlbadm on host 1 asks; an answer is whole, or there is none.
question() {
	BROKEN=0
	MUTE=0
	adm h1 -j "$@" >/run/test/out
	WHOLE=$(shape)
	refuse_each after_question adm h1 -j "$@"
	TOTAL=$((TOTAL + REFUSED))
	same "$*: refused, and an answer that is not whole" 0 "$BROKEN"
	same "$*: refused without a word of the cause" 0 "$MUTE"
}

up() {
	adm h1 up eth0 --cluster test --host-id 1 --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE" "$@"
	wait_agree 30 1
}

up_igmp() {
	up --mode igmp
}

down() {
	adm h1 down eth0
}

# In each way of being reached.
covers cluster-new cluster-del
UP=(up eth0 --cluster test --host-id 1 --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE")
operation down "${UP[@]}" --mode unicast
operation down "${UP[@]}" --mode multicast --rules /run/test/rules.toml
operation down "${UP[@]}" --mode igmp
up --mode igmp
operation up_igmp down eth0
down

covers cluster-set
up --affinity none
start() {
	adm h1 start eth0
	wait_agree 30 1
}
resume() {
	adm h1 resume eth0
	start
}
weight_50() {
	adm h1 set --weight 50 eth0
	wait_agree 30 1
}
sessions_default() {
	adm h1 set --sessions-max "$SESSIONS_MAX" eth0
}
SESSIONS_MAX=$(adm h1 -j show eth0 | jq '.[0].sessions_max')
operation start stop eth0
operation start drain eth0
operation resume suspend eth0
operation weight_50 set --weight 70 eth0
operation sessions_default set --sessions-max 1000 eth0

covers rule-set rule-control
old_rules() {
	adm h1 rules apply /run/test/rules.toml eth0
	wait_agree 30 1
}
enable_443() {
	adm h1 enable all:443 eth0
	wait_agree 30 1
}
old_rules
sed 's/443/444/' /run/test/rules.toml >/run/test/rules2.toml
operation old_rules rules apply /run/test/rules2.toml eth0
operation enable_443 disable all:443 eth0

covers settings-set
period_200() {
	adm h1 set --period 200ms eth0
	wait_agree 30 1
}
operation period_200 set --period 100ms eth0

covers key-set key-del
key_1() {
	adm h1 key use 1 eth0
}
forget_2() {
	adm h1 key del 2 eth0
}
add_2() {
	adm h1 key add 2 --key-file /run/test/key2 eth0
}
operation forget_2 key add 2 --key-file /run/test/key2 eth0
add_2
operation key_1 key use 2 eth0
operation add_2 key del 2 eth0

covers cluster-get member-get rule-get bucket-get counter-get history-get key-get owner-get
question show eth0
question show
question rules eth0
question buckets eth0
question counters --all eth0
question history eth0
question key list eth0
question owner 10.9.8.7:4000 "$VIP:443" eth0

# A relay, under a name of its own, outlives what is refused to it, and so does the cluster.
covers heartbeat-in
down
block_heartbeats
ln -s "$(command -v nlbadm)" /run/test/carrier
printf carrier >"$REFUSE/program"
for i in 1 2; do
	join "$i"
	mapfile -t options < <(relay_options "$i" 1 2)
	background "h$i" "relay$i" /run/test/carrier relay eth0 "${options[@]}"
done
check "two hosts converge on the relays alone" wait_agree 30 1 2
for n in 1 2 3; do
	refuse_nth "$n"
	check "they stay, if call $n is refused" steady 1300 agree 1 2
	note "$(refuse_calls) calls"
done
refuse_nth 0
same "relays that run on" 2 "$(pgrep -c carrier)"

check "calls refused in all: $TOTAL" [ "$TOTAL" -ge 40 ]
same "operations of the specification that are not tried here" "" "$(comm -13 <(sort /run/test/covered) \
	<(sed -n '/^operations:/,/^mcast-groups:/s/^ *name: *\([a-z-]*\)$/\1/p' /nlb/nlb.yaml | grep -v -e '-ntf$' | sort))"
