# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the running state as a file: applied to where it came from it changes nothing, elsewhere it makes the same
# clock: counted
# timeout: 300

# round_trip N TEXT: what host N exports changes nothing there; and made anew from
# it, host N exports the same.
round_trip() {
	local n=$1 text=$2
	adm "h$n" export --host "h$n" >"$CONFIG"
	# The kernel does not tell where a key came from.
	sed -i "s|^\[cluster\]|&\nkey-file = \"$KEY_FILE\"|" "$CONFIG"
	note "$(cat "$CONFIG")"
	check "$text: the file is right" nlbadm check "$CONFIG"
	keep "$n"
	check "$text: apply" apply "$n"
	check "$text: nothing to do" grep -q '^nothing to do' /run/test/applied
	check "$text: nothing changed" as_kept "$n"
	leave "$n"
	check "$text: made from the file" apply "$n"
	adm "h$n" export --host "h$n" >/run/test/again.toml
	same "$text: it is the same" "$(grep -v '^key-file' "$CONFIG")" "$(cat /run/test/again.toml)"
	leave "$n"
}

hosts 1
make_key
load_module

join 1
round_trip 1 "as made"

join 1 --vip "$VIP6" --mode unicast --period 100ms --tolerance 7 --weight 30 --echo hash --responder all \
	--sessions-max 1000 --allow-other-interfaces --key-id 7 --dedicated 10.0.0.1 --stopped
round_trip 1 "everything"

join 1 --mode igmp --vip "$VIP6"
round_trip 1 "IGMP and two families"

join 1 --vip "$VIP6" --mode igmp --virtual-mac 33:33:01:02:03:04
round_trip 1 "a virtual MAC of IPv6"

join 1 --virtual-mac 03:01:02:03:04:05
adm h1 suspend eth0
round_trip 1 "a virtual MAC, suspended"

: >/run/test/empty.toml
join 1 --rules /run/test/empty.toml
round_trip 1 "no rules"

cat >/run/test/rules.toml <<END
[[rule]]
ports = 443
protocols = "tcp"
vip = "$VIP"
weights = { 1 = 100, 2 = 0 }
[[rule]]
ports = "8000-8099"
mode = "single"
priorities = { 1 = 2, 2 = 1 }
[[rule]]
ports = 25
mode = "disabled"
[[rule]]
ports = "10000-65535"
affinity = "network"
prefix-v4 = 20
prefix-v6 = 56
track = "on"
END
join 1 --rules /run/test/rules.toml
wait_until 30 state_is 1 converged
adm h1 set --weight 7 --sessions-max 0
adm h1 drain all:8000
round_trip 1 "rules, and what was set"
