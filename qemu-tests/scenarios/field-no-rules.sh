# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: an empty list of rules is no rules, wherever it is given: one host serves, another one takes over
# clock: counted
#
# The set-up of the articles for failover without balancing. A host that comes back after
# a reboot gives the same empty file as the others have in force.

: >/run/test/empty.toml
EMPTY="--rules /run/test/empty.toml"

hosts 3
make_key
load_module
for k in 1 2 3; do
	serve "$k"
done
# Two hosts that began with the default rule, and gave it up.
for k in 1 2; do
	join "$k" --vip "$VIP6"
done
check "both are members" wait_agree 30 1 2
for k in 1 2; do
	adm "h$k" rules apply /run/test/empty.toml eth0 >/run/test/applied
done
no_rules() {
	[ "$(adm "h$1" -j show eth0 | jq '.[0].rules')" = 0 ]
}
for k in 1 2; do
	check "host $k has no rules" wait_until 10 no_rules "$k"
done

# shellcheck disable=SC2086 # words
join 3 --vip "$VIP6" $EMPTY
check "one that comes with an empty file is a member" wait_agree 30 1 2 3
same "and is not out" null "$(out_reason 3)"
check "show says so" grep -q 'rules: none; the default host serves everything' <<<"$(adm h3 show eth0)"
requests 60 one
same "all answered" 60 "$(field one .answered)"
same "by one host" 1 "$(field one '.hosts | length')"
requests6 60 one6
same "IPv6: all answered" 60 "$(field one6 .answered)"
same "IPv6: by the same host" "$(field one '.hosts | keys[0]')" "$(field one6 '.hosts | keys | join(" ")')"

first=$(field one '.hosts | keys[0]')
cut_cable "$first"
left=(1 2 3)
unset "left[first - 1]"
check "it fails: the others agree" wait_agree 30 "${left[@]}"
requests 60 other
same "all answered again" 60 "$(field other .answered)"
same "by one other host" 1 "$(field other ".hosts | del(.\"$first\") | length")"

# What contradicts itself is refused, and changes nothing.
leave 3
check "rules and an affinity contradict each other" not adm h3 up eth0 --cluster test --host-id 3 \
	--vip "$VIP" --key-file "$KEY_FILE" $EMPTY --affinity none
same "no cluster" "" "$(adm h3 -j show | jq -r '.[].interface')"
same "rules check" "no rules: the default host serves everything" "$(nlbadm rules check /run/test/empty.toml)"
