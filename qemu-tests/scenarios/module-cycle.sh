# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the module comes and goes a hundred times, idle and under traffic
# timeout: 300

hosts 3
done_cycles=0
for ((i = 0; i < 100; i++)); do
	insmod /nlb/nlb.ko
	# Every tenth time it goes while a cluster is up.
	if [ $((i % 10)) = 0 ]; then
		join 1
		adm h1 -j show eth0 >/dev/null
	fi
	rmmod nlb
	done_cycles=$((done_cycles + 1))
done
same "cycles" 100 "$done_cycles"
check "the module is gone" [ ! -e /sys/module/nlb ]

# What the family registered is gone too: the tool says so.
code=0
adm h1 show >/run/test/out 2>&1 || code=$?
same "nlbadm without the module: exit code" 3 "$code"

# Under traffic: the hosts keep the VIP as an ordinary address meanwhile, so
# requests may be answered by anyone or no one; what counts is the kernel.
load busy --sources 200 --parallel 100 --timeout-ms 300
for i in 1 2 3; do
	serve "$i"
done
for round in 1 2 3 4 5; do
	insmod /nlb/nlb.ko
	for i in 1 2 3; do
		# The address stayed behind when the module went.
		ip -n "h$i" addr del "$VIP/32" dev eth0 2>/dev/null || :
		join "$i"
	done
	wait_converged 3
	before=$(counter h1 accepted-owner)
	busy() {
		[ "$(counter h1 accepted-owner)" -gt "$((before + 50))" ]
	}
	check "round $round: traffic passes the hook" wait_until 20 busy
	check "round $round: rmmod under traffic" rmmod nlb
done
load_end busy
