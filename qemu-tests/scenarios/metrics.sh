# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what there is to be measured, printed once and by HTTP, and programs that are told of events
# clock: counted
# timeout: 200

# metric NAME: its value in /run/test/metrics, with its labels as they stand there; empty if it is not there.
metric() {
	sed '/^#/d' /run/test/metrics | awk -v name="$1 " 'index($0, name) == 1 { print $NF }'
}

# gather: what nlbd gives to those who ask by HTTP.
gather() {
	on h1 curl -s -f --max-time 5 --unix-socket /run/test/nlbd/metrics.sock -o /run/test/metrics http://nlbd/metrics
}

# told FILTER: whether a program was told of such an event.
told() {
	jq -e "select($1)" /run/test/told >/run/test/null 2>&1
}

hosts 2
nlbadm metrics >/run/test/metrics
same "without the module: it is not loaded" 0 "$(metric nlb_module_loaded)"
load_module
for k in 1 2; do
	serve "$k"
done
config 2 <<-END
	[[rule]]
	ports = 80
	protocols = "tcp"
	affinity = "none"
	[rule.check]
	type = "tcp"
	interval = "300ms"
	timeout = "200ms"
	fall = 2
END
for k in 1 2; do
	check "host $k: from nothing" apply "$k"
done
check "all are members" wait_agree 30 1 2
requests 40 some

mkdir -p /run/test/hooks.d
printf '#!/bin/sh\ncat >>/run/test/told\n' >/run/test/hooks.d/told
printf '#!/bin/sh\nexit 1\n' >/run/test/hooks.d/fails
chmod +x /run/test/hooks.d/*
: >/run/test/told
background h1 nlbd nlbd "$CONFIG" --host h1 --run-directory /run/test/nlbd --hooks /run/test/hooks.d \
	--metrics /run/test/nlbd/metrics.sock
check "nlbd: well" wait_until 10 logged_line nlbd 'rule tcp 80: well'

check "by HTTP" gather
same "members" 2 "$(metric 'nlb_cluster_members{cluster="test"}')"
same "the state" 1 "$(metric 'nlb_host_state{cluster="test",state="converged"}')"
same "nobody is without an owner" 0 "$(metric 'nlb_rule_buckets_unowned{cluster="test",rule="tcp 80"}')"
within "packets of host 1" "$(metric 'nlb_rule_packets_total{cluster="test",rule="tcp 80",outcome="accepted"}')" 10 1000
same "the check" 1 "$(metric 'nlb_check_state{cluster="test",rule="tcp 80",check="tcp 10.0.0.10:80",state="well"}')"
same "its end" '# EOF' "$(tail -n 1 /run/test/metrics)"
check "nothing else is there" not on h1 curl -s -f --unix-socket /run/test/nlbd/metrics.sock http://nlbd/
on h1 nlbadm metrics >/run/test/once
same "printed once: the same metrics, but for those of checks" "" \
	"$(diff <(sed -n 's/^# TYPE //p' /run/test/once) <(sed -n 's/^# TYPE //p' /run/test/metrics | grep -v nlb_check))"

check "printed for a user without rights" on h1 setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all \
	nlbadm metrics

# A service that dies: programs are told, and metrics say it.
kill_background serve1
check "told of the service" wait_until 10 told '.event == "check-state" and .state == "unwell" and .rule == "tcp 80"'
check "told of what was done" wait_until 10 told '.event == "check-action" and .action == "given-up"'
check "told of what the cluster made of it" wait_until 10 told '.event == "converged" and .cause == "weight"'
check "one that fails is logged" logged_line nlbd 'hooks.d/fails: exit status: 1'
check "by HTTP again" gather
same "given up" 1 "$(metric 'nlb_check_given_up{cluster="test",rule="tcp 80",check="tcp 10.0.0.10:80"}')"
same "draining" 1 "$(metric 'nlb_rule_state{cluster="test",rule="tcp 80",state="draining"}')"
leave 1
check "told of the end" wait_until 10 told '.event == "cluster-del"'
check "without a cluster" gather
same "there is none of it" "" "$(metric 'nlb_cluster_members{cluster="test"}')"
