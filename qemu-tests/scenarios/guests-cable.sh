# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the cable of a guest is pulled and plugged in again
# topology: guests

# A guest on a busy machine may stand still for seconds and be taken for dead: a
# SYN to it is then answered by another host, its third or fourth repetition at
# the latest. Nobody has to be refused or left alone for ever; what it took is
# printed.
patience=(--timeout-ms 30000)

cluster
requests 300 before "${patience[@]}"
same "all answered" 300 "$(field before "r['answered']")"

unplug 2
check "the others agree without it" wait_agree 30 1 3
requests 300 without "${patience[@]}"
same "all answered by the others" 300 "$(field without "r['answered']")"
same "none by host 2" 0 "$(field without "r['hosts'].get('2', 0)")"

plug 2
check "it is a member again" wait_agree 60 1 2 3
requests 900 after "${patience[@]}"
same "all answered" 900 "$(field after "r['answered']")"
check "host 2 serves again" [ "$(field after "r['hosts'].get('2', 0)")" -gt 200 ]
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"
if [ "$(field after "r['late']")" != 0 ]; then
	for n in 1 2 3; do
		note "host $n: $(guest "$n" nlbadm history)"
	done
fi
