# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a guest that is set back to a snapshot with its memory begins anew, and does not serve beside the others
# topology: guests
# timeout: 900

# As in guests-cable: a guest that stands still for seconds is not one that refuses.
patience=(--timeout-ms 30000)

# set_back N: how often host N has noticed that it was.
set_back() {
	guest "$1" "dmesg | grep -c 'nlb: set back to an earlier state' || :"
}
has_begun_anew() {
	[ "$(set_back 2)" = 1 ]
}
incarnation() {
	shown 2 '.[0].hosts[] | select(.self).incarnation'
}

cluster --affinity none
snapshot 2
check "host 2 goes on after it was saved" wait_agree 60 1 2 3
requests 300 before "${patience[@]}"
same "before: all are answered" 300 "$(field before "r['answered']")"

for how in untold told; do
	old=$(incarnation)
	generation=$(shown 1 '.[0].generation')
	run_for 5000
	load "$how" --sources 200 --interval-ms 10 "${patience[@]}"
	run_for 1000
	# shellcheck disable=SC2086 # no word, or one
	revert 2 ${how#untold}
	check "$how: host 2 notices it" wait_until 60 has_begun_anew
	check "$how: all are a cluster again" wait_agree 60 1 2 3
	run_for 1000
	load_end "$how"
	check "$how: under another incarnation" [ "$(incarnation)" != "$old" ]
	grown=$(($(shown 1 '.[0].generation') - generation))
	note "$how: $grown generations, $(field "$how" "sum(h['failed'] for n, h in r['by_first_host'].items() if n != '2')") requests of other hosts' clients failed"
	check "$how: a few changes, and not one after the other" [ "$grown" -le 6 ]
	requests 300 "after-$how" "${patience[@]}"
	same "$how: all are answered" 300 "$(field "after-$how" "r['answered']")"
	check "$how: by all hosts" [ "$(field "after-$how" "len(r['hosts'])")" = 3 ]
done
