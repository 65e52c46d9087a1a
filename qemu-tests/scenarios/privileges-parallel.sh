# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: requests to the module wait neither for each other nor for those to other families
#
# The RTNL is held (bench/hold), so what needs it waits for as long as the test
# wants: first the removal of a cluster, within nlb; then the request to a
# family whose requests have one lock for all (team), which it holds meanwhile.
# What needs no RTNL is answered all the same.

HOLD=/sys/kernel/debug/hold

# hold_rtnl, let_go
hold_rtnl() {
	echo 1 >"$HOLD/rtnl" &
	wait_until 20 grep -q 1 "$HOLD/rtnl"
}

let_go() {
	: <"$HOLD/let-go"
	wait_until 20 grep -q 0 "$HOLD/rtnl"
}

# waits_in NAME FUNCTION: true once a background command sleeps in a function of
# the kernel that takes the RTNL; what it calls to sleep is not shown.
waits_in() {
	head -n 1 "/proc/$(<"/run/test/$1.pid")/stack" 2>/dev/null | grep -q "$2"
}

# answered NAME OPERATION…: what the reader that is ready says to each, though
# it has to be within ten seconds.
answered() {
	local name=$1 operation line
	shift
	for operation; do
		echo "$operation" >&"$ASK"
		if IFS= read -r -t $((10 * ${NLB_PATIENCE:-1})) -u "$ANSWER" line && [ "$line" = "$operation"$'\t'ok ]; then
			pass "$name: $operation"
		else
			fail "$name: $operation: '$line'"
		fi
	done
}

hosts 2
load_module
insmod /nlb/hold.ko
defer rmmod hold
join 1
join 2
wait_agree 30 1 2

# It has asked for the family's number already, which takes the lock of all families.
coproc on h2 tt ask --dev eth0 --vip "$VIP"
reader=$!
exec {ASK}>&"${COPROC[1]}" {ANSWER}<&"${COPROC[0]}"
eval "exec ${COPROC[1]}>&- ${COPROC[0]}<&-"
IFS= read -r -t 20 -u "$ANSWER" line
same "the reader is ready" ready "$line"

hold_rtnl
background h1 removal tt remove eth0
check "the removal of a cluster waits for the RTNL, in nlb" wait_until 20 waits_in removal cluster_del
answered "beside a request of nlb's that waits" cluster-get 'cluster-get (dump)' cluster-set rule-control member-get \
	owner-get bucket-get counter-get history-get rule-get key-set key-get key-del heartbeat-in
# Another client has to find the family first.
check "and to one that has just begun" timeout $((10 * ${NLB_PATIENCE:-1})) \
	nsenter --net=/run/netns/h2 -- tt ask --dev eth0 cluster-get
check "the removal still waits" waits_in removal cluster_del
let_go
check "the removal ends" finish removal
same "the cluster is gone" '[]' "$(adm h1 -j show)"

ip -n h1 link add team0 type team
team=$(ip -n h1 -j link show team0 | jq '.[0].ifindex')
hold_rtnl
background h1 team tt team --ifindex "$team" --mode activebackup
check "a request to another family waits for the RTNL" wait_until 20 waits_in team team_nl_options_set
answered "beside a request to another family that waits" cluster-get 'cluster-get (dump)' member-get cluster-set
check "the other request still waits" waits_in team team_nl_options_set
let_go
check "the other request ends" finish team

exec {ASK}>&- {ANSWER}<&-
wait "$reader" || :
