# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each allocation that the module makes fails once, and changes nothing
# kernel: debug
# timeout: 300

hosts 2
load_module
make_key
fault_scope

LEFT=0
# What a failed "up" leaves behind, and a successful one, are removed alike.
after_up() {
	if [ "$1" != 0 ]; then
		if [ "$(adm h1 -j show | jq length)" != 0 ] ||
			[ -n "$(vips_of 1)$(vip_device 1)" ]; then
			LEFT=$((LEFT + 1))
			note "left behind after: $(cat /run/test/out)"
		fi
	fi
	adm h1 down eth0 >/dev/null 2>&1 || :
}
fail_each after_up h1 nlbadm up eth0 --cluster test --host-id 1 --vip "$VIP" --key-file "$KEY_FILE"
check "up: several allocations were made to fail ($FAILED_ALLOCATIONS)" [ "$FAILED_ALLOCATIONS" -ge 5 ]
same "up: clusters or addresses left behind by a failed one" 0 "$LEFT"

join 1
join 2
wait_agree 30 1 2

BROKEN=0
# The cluster is the same as before, whatever the request came to.
after_request() {
	members_are h1 eth0 1 2 || BROKEN=$((BROKEN + 1))
}
for verb in show history counters; do
	fail_each after_request h1 nlbadm "$verb" eth0
done
same "requests after which the cluster was another" 0 "$BROKEN"

# Buffers for heartbeats and answers come from the same places.
before=$(faults)
fault_rate 20
enough() {
	[ "$(faults)" -ge "$((before + 20))" ]
}
check "twenty allocations of heartbeats fail" wait_until 30 enough
fault_rate 0
check "the cluster is whole again" wait_agree 30 1 2

# Taken down under failures, it is gone at the latest when they end.
after_down() {
	if [ "$1" = 0 ]; then
		join 2 >/dev/null
	fi
}
fail_each after_down h2 nlbadm down eth0
adm h2 down eth0
same "clusters left on host 2" 0 "$(adm h2 -j show | jq length)"
