# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what nlb params of Windows prints becomes a cluster, which Windows' verbs show and control
# clock: counted
# timeout: 300

# params N WEIGHT: what host N of a cluster of Windows says of itself.
params() {
	cat <<-END
		WLBS Cluster Control Utility V2.4 (c) 1997-2003 Microsoft Corporation.
		Cluster $VIP
		Retrieving parameters
		HostPriority              = $1
		ClusterIPAddress          = $VIP
		DedicatedIPAddress        = 10.0.0.$1
		ClusterName               = test
		MulticastSupportEnable    = ENABLED
		IGMPSupport               = DISABLED
		AliveMsgPeriod            = 1000
		AliveMsgTolerance         = 5
		ClusterModeOnStart        = STARTED

		PortRules (2):

		      VIP       Start  End  Prot   Mode   Pri Load Affinity
		--------------- ----- ----- ---- -------- --- ---- --------
		All                80    80 TCP  Multiple       $2 None
		All               443   443 TCP  Single     $((3 - $1))

	END
}

# weighed: the shares of the first rule, on host 1.
weighed() {
	adm h1 -j queryport all:80 | jq -e '.rule.weight == 75 and .rule.buckets > 2900 and .rule.buckets < 3200' >/dev/null
}

hosts 2
load_module
for k in 1 2; do
	serve "$k"
done
make_key
mkdir -p /etc/nlb

{ params 1 75 && params 2 25; } >/run/test/params
imported() {
	nlbadm import /run/test/params >"$CONFIG"
}
check "it is understood whole" imported
note "$(cat "$CONFIG")"
check "the file is right as it is" nlbadm check "$CONFIG"
# What the operator decides: names, and where the key is.
sed -i -e "s/host-/h/" -e "s|^\[cluster\]|&\nkey-file = \"$KEY_FILE\"|" "$CONFIG"
for k in 1 2; do
	check "host $k is made of it" apply "$k"
done
check "all are members" wait_agree 30 1 2
check "load weights are those of Windows" wait_until 10 weighed
priority() {
	adm "h$1" -j queryport all:443 | jq -r .rule.priority
}
same "and so is the handling priority of host 1" 2 "$(priority 1)"
same "and of host 2" 1 "$(priority 2)"

same "query is show" test "$(adm h1 -j query | jq -r '.[0].name')"
same "params is export" "" "$(diff <(adm h1 params) <(adm h1 export))"
adm h1 display eth0 >/run/test/display
note "$(cat /run/test/display)"
for word in '^cluster: test' '^rule ' '^generation ' ' heartbeat$'; do
	check "display has $word" grep -q "$word" /run/test/display
done
requests 60 first
same "all answered" 60 "$(field first .answered)"
counted() {
	[ "$(adm "$1" queryport "$VIP:80" | sed -nE 's/^accepted: +([0-9]+) packets$/\1/p')" -gt 0 ]
}
check "queryport counts packets" counted h1

cp "$CONFIG" /etc/nlb/test.toml
hostname h1
check "reload: nothing has changed" adm h1 reload
sed -i 's/^weights = .*/weights = { 1 = 50, 2 = 50 }/' /etc/nlb/test.toml
check "reload: new weights" adm h1 reload
hostname h2
check "on each host" adm h2 reload test
even() {
	adm h1 -j queryport all:80 | jq -e '.rule.buckets == 2048' >/dev/null
}
check "the shares are even" wait_until 10 even
rm /etc/nlb/test.toml

adm h1 drain all:80
rule_drains() {
	[ "$(adm h1 -j queryport all:80 | jq -r .rule.state)" = draining ]
}
check "a rule is drained as Windows has it" rule_drains
adm h1 enable all:80
adm h1 suspend eth0
check "suspended" state_is 1 suspended
# What is wrong stands before all that is well.
third_line() {
	adm h1 | sed -n 3p | grep -q '^  host: 1 (suspended'
}
check "the state is in the third line" third_line
adm h1 resume eth0
adm h1 start eth0
check "all are members again" wait_agree 30 1 2
