# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the module comes and goes a hundred times, idle and under traffic; a cluster keeps it loaded
# timeout: 300
# long-timeout: 1800
#
# With LONG=1 the rounds under traffic are a hundred as well; LONG=n makes it n.

ROUNDS=${LONG:-5}
[ "$ROUNDS" != 1 ] || ROUNDS=100

hosts 3

references() {
	cat /sys/module/nlb/refcnt
}

# refused: the module stays, and the kernel says why.
refused() {
	! rmmod nlb 2>/run/test/rmmod || return 1
	grep -q 'in use' /run/test/rmmod
}

# unload: the way that the README tells, in the namespaces of these hosts.
unload() {
	local n
	for n; do
		adm "h$n" down --all || return 1
	done
	rmmod nlb
}

done_cycles=0
kept=0
for ((i = 0; i < 100; i++)); do
	insmod /nlb/nlb.ko
	# Every tenth time it is asked to go while a cluster is up.
	if [ $((i % 10)) = 0 ]; then
		join 1
		if refused && adm h1 -j show eth0 >/dev/null; then
			kept=$((kept + 1))
		fi
	fi
	unload 1
	done_cycles=$((done_cycles + 1))
done
same "cycles" 100 "$done_cycles"
same "rmmod refused while a cluster is up" 10 "$kept"
check "the module is gone" [ ! -e /sys/module/nlb ]

# What the family registered is gone too: the tool says so.
code=0
adm h1 show >/run/test/out 2>&1 || code=$?
same "nlbadm without the module: exit code" 3 "$code"

# Each way in which a cluster ends gives its reference back.
insmod /nlb/nlb.ko
same "references without a cluster" 0 "$(references)"
second_network 1
add_netns spare
add_host 4
ways() {
	join 1
	adm h1 up eth1 --cluster second --host-id 1 --vip 192.168.0.10 --no-key 2>/dev/null
	join 2
	join 3
	join 4
}
ways
same "references of five clusters" 5 "$(references)"
check "down --all" adm h1 down --all
same "references after down --all of two" 3 "$(references)"
same "clusters of that namespace" '[]' "$(adm h1 -j show)"
same "VIPs that stayed there" 0 "$(ip -n h1 -o addr show | grep -cE "$VIP/|192\.168\.0\.10/" || :)"
ip -n h2 link del eth0
same "references after an interface was deleted" 2 "$(references)"
ip -n h3 link set eth0 netns spare
same "references after an interface moved away" 1 "$(references)"
del_netns h4
no_references() {
	[ "$(references)" = 0 ]
}
check "a deleted namespace gives its reference back" wait_until 20 no_references
check "down --all where there is none" adm h1 down --all
rmmod nlb
ip -n spare link del eth0
for n in 2 3; do
	del_netns "h$n"
	wait_until 20 not ip -n sw link show "p$n" >/dev/null 2>&1
	add_host "$n"
done

# A cluster that is made while the module goes: one of the two wins.
for ((i = 0; i < 20; i++)); do
	insmod /nlb/nlb.ko
	# It may lose the race, which is no failure.
	{ join 1 || :; } >>/run/test/race 2>&1 &
	gone() {
		rmmod nlb 2>/dev/null || { adm h1 down --all 2>/dev/null; return 1; }
	}
	wait_until 20 gone || fail "race $i: the module went"
	wait "$!" || :
	check "race $i: the module is gone" [ ! -e /sys/module/nlb ]
	same "race $i: no VIP is left" "" "$(vips_of 1)"
done

load busy --sources 200 --parallel 100 --timeout-ms 300
for i in 1 2 3; do
	serve "$i"
done
for ((round = 1; round <= ROUNDS; round++)); do
	insmod /nlb/nlb.ko
	for i in 1 2 3; do
		join "$i"
	done
	wait_converged 3
	before=$(counter h1 accepted-owner)
	busy() {
		[ "$(counter h1 accepted-owner)" -gt "$((before + 50))" ]
	}
	check "round $round: traffic passes the hook" wait_until 20 busy
	check "round $round: rmmod under traffic is refused" refused
	check "round $round: down --all, then rmmod under traffic" unload 1 2 3
done
load_end busy
