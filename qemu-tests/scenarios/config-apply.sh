# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: one file makes a cluster of three hosts; what differs changes while they serve, and nothing where nothing does
# clock: counted
# timeout: 400

in_force() {
	local i
	for i in 1 2 3; do
		[ "$(shown "$i" '.[0] | [.rules, .pending] | tojson')" = "[$1,null]" ] || return 1
	done
}

# unchanged: on no host is there anything to do.
unchanged() {
	local i
	for i in 1 2 3; do
		keep "$i"
		apply "$i" && applied "nothing to do: h$i is what the file says" && as_kept "$i" || return 1
	done
}

hosts 3
load_module
for k in 1 2 3; do
	serve "$k"
done

config 3 </dev/null
check "the file is right, and needs no privileges" \
	setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all nlbadm check "$CONFIG"
check "a dry run from nothing" apply 1 --dry-run
check "it says what would be" applied '+vips = \["10.0.0.10"\]'
same "no cluster" "" "$(adm h1 -j show | jq -r '.[].interface')"
for k in 1 2 3; do
	check "host $k: from nothing" apply "$k"
	check "host $k: it says so" applied "h$k is host $k of the cluster test"
done
check "all are members" wait_agree 30 1 2 3
requests 90 all
same "all answered" 90 "$(field all .answered)"
same "by all hosts" 3 "$(field all '.hosts | length')"
check "applied twice: nothing" unchanged

# Rules and a load weight, under load.
load busy --sources 200 --interval-ms 20 --timeout-ms 8000
config 3 <<'END'
[[rule]]
ports = 443
protocols = "tcp"
weights = { 1 = 100, 2 = 0, 3 = 0 }

[[rule]]
ports = 80
affinity = "none"

h2 weight = 0
h3 sessions-max = 1000
END
check "host 1: new rules" apply 1
check "it says whom they wait for" applied 'changed while the host serves; it waits for hosts 2, 3: apply the same file there'
check "and shows the difference" applied '-affinity = "single"'
check "in both directions" applied '+ports = 80, affinity = "none"'
check "host 1, again: nothing, and it still waits" apply 1
check "and says so" applied 'nothing to do: h1 is what the file says; it waits for hosts 2, 3: apply the same file there'
check "host 2: rules and weight" apply 2
check "the weight is in the difference" applied '+weight = 0'
check "host 3: the last one" apply 3
check "it waits for nobody" applied 'changed while the host serves'
check "the rules are in force on all hosts" wait_until 10 in_force 2
weightless() {
	[ "$(adm h2 -j rules | jq '.rules[1].buckets')" = 0 ]
}
check "host 2 owns nothing any more" wait_until 10 weightless
same "host 3 remembers fewer sessions" 1000 "$(shown 3 '.[0].sessions_max')"
load_end busy
same "failed requests" 0 "$(field busy '.requests - .answered')"
check "applied twice: nothing again" unchanged
requests 60 two
same "host 2 gets no new connections" 0 "$(field two '.hosts."2" // 0')"

# What an operator has stopped stays so.
adm h3 stop eth0
check "a host that was stopped" apply 3
check "is not started" state_is 3 stopped
check "but it is said" grep -q 'this host is stopped, and stays so' /run/test/applied
adm h3 start eth0
check "all are members again" wait_agree 30 1 2 3

# What keeps a host from serving is told, though the file is in force.
out_of_vips() {
	[ "$(out_reason 3)" = vip-missing ]
}
ip -n h3 addr del "$VIP/32" dev nlb0
check "a VIP goes" wait_until 10 out_of_vips
check "the file is in force" apply 3
check "but the VIP is missed" grep -q 'a VIP is missing on this host' /run/test/applied
adm h3 start eth0
check "it is put back" wait_agree 30 1 2 3

# The name of the cluster does for that of its interface.
check "down by the name of the cluster" adm h3 down test
same "the cluster is gone" "" "$(adm h3 -j show | jq -r '.[].interface')"
