# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: eight hosts of 10 ms × 3 share one processor: each change is one change
# clock: counted
# timeout: 900
#
# While hosts join, a frame waits for all the others that the processor has to
# take first, and a report of the last commit comes after more than two periods.
# A leader that took such a member for one that lags had the next change begin
# there and then, whose frames made the wait longer, and it never ended.

n=8
hosts "$n"
load_module
for ((i = 1; i <= n; i++)); do
	serve "$i"
done
for ((i = 1; i <= n; i++)); do
	join "$i" --affinity single --period 10ms --tolerance 3
done
mapfile -t all < <(seq 1 "$n")
check "they agree" wait_agree 60 "${all[@]}"

# Nobody has reason to change anything for fifty periods.
generation=$(generation h1)
check "it takes at most twice as many changes as there are hosts" [ "$generation" -le $((2 * n)) ]
pause 0.5
same "the generation half a second later" "$generation" "$(generation h1)"
note "the changes: $(adm h1 -j history eth0 | jq -c '[.history[] | {cause, ms: ((.took_us // 0) / 1e3 | round)}]')"

watch 1
adm h2 set --weight 20 eth0
converged 1 30 "${all[@]}"
check "they agree on a weight" wait_agree 30 "${all[@]}"
same "which is one change" "$((generation + 1))" "$(generation h1)"
