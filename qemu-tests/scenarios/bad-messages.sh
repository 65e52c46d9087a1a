# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: netlink messages that nobody would send: refused by an error that changes nothing, or done
#
# A right message of each command is recorded; attributes are taken out,
# doubled, exchanged, nested, cut and filled with anything. After each refusal
# the whole configuration is read and compared. The seed is printed; SEED=n
# sends the same again, LONG=1 ten times as many.

cluster 1
leave 1
count=${LONG:+30000}
count=${count:-3000}
note "seed $SEED"
on h1 tt messages --dev eth0 --dedicated 10.0.0.1 --vip "$VIP" --count "$count" --seed "$SEED" \
	>/run/test/messages.json || fail "a refused message changed something, or the module gave no answer"
note "$(cat /run/test/messages.json)"
same "messages answered" "$count" "$(field messages .sent)"
check "some were done" [ "$(field messages .accepted)" -gt $((count / 50)) ]
check "most were refused" [ "$(field messages '[.refused[]] | add')" -gt $((count / 2)) ]
check "for several reasons" [ "$(field messages '.refused | length')" -gt 3 ]
check "what was done changed something" [ "$(field messages .changed)" -gt $((count / 200)) ]
check "every command was tried" [ "$(field messages '.commands | length')" -gt 12 ]

# It works as before.
leave 1
join 1
wait_converged 1
requests 50 after
same "all answered afterwards" 50 "$(field after .answered)"
