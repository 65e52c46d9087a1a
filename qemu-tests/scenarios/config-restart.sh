# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what cannot change live: with --restart a host drains, leaves and joins again, and no connection breaks
# clock: counted
# timeout: 400

hosts 2
load_module
for k in 1 2; do
	serve "$k"
done
config 2 </dev/null
for k in 1 2; do
	apply "$k"
done
check "both are members" wait_agree 30 1 2

# A setting of host 2 alone, under load. Connections that stand are short ones.
capture wire sw pc "tcp port 80 and $TURNS"
load busy --sources 200 --interval-ms 20 --timeout-ms 8000
config 2 <<<'h2 dedicated = "10.0.0.2"'
check "a dry run" apply 2 --restart --dry-run
check "says that it would restart" applied 'the host would leave and join again; nothing was changed'
check "nothing has happened" agree 1 2
check "the host leaves and joins again" apply 2 --restart
check "and says so" applied 'changed; the host has left and joined again'
check "both are members again" wait_agree 30 1 2
load_end busy
capture_end wire
same "failed requests" 0 "$(field busy '.requests - .answered')"
no_reset wire "resets on the wire"
check "applied twice: nothing" apply 2 --restart
check "and says so" applied 'nothing to do: h2 is what the file says'

# A connection that does not end is waited for as long as it may take.
background c held tt hold --to "$VIP:80" --from "$SOURCES" --count 20 --interval-ms 200 \
	--ready /run/test/held.ready --until /run/test/held.end
wait_until 60 test -e /run/test/held.ready
config 2 </dev/null
start=$(now_ms)
check "with connections that last" apply 2 --restart --drain-timeout 2s
check "they had their time" [ $(($(now_ms) - start)) -ge 2000 ]
check "both are members" wait_agree 30 1 2
touch /run/test/held.end
finish held || :

# A setting of all hosts: they serve together when both have it.
config 2 'mode = "igmp"' </dev/null
check "host 2: another mode" apply 2 --restart --drain-timeout 1s
check "host 1: the same" apply 1 --restart --drain-timeout 1s
check "both are members with it" wait_agree 30 1 2
same "it is in force" igmp "$(shown 1 '.[0].mode')"

# One that the interface cannot have: the old cluster comes back.
config 2 'mode = "unicast"' 'virtual-mac = "02:00:00:00:00:02"' </dev/null
code=0
apply 2 --restart --drain-timeout 1s || code=$?
same "a virtual MAC that is the interface's own: exit code" 1 "$code"
check "it says what has become of the host" grep -q 'the host is in the cluster as before' /run/test/applied
check "both are members as before" wait_agree 30 1 2
same "in the old mode" igmp "$(shown 2 '.[0].mode')"

# What was stopped is stopped afterwards.
adm h2 stop eth0
config 2 'mode = "igmp"' <<<'h2 dedicated = "10.0.0.2"'
check "a host that was stopped" apply 2 --restart
same "is stopped" stopped "$(state 2)"
adm h2 start eth0
check "both are members at the end" wait_agree 30 1 2
