# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the cable of a guest is pulled and plugged in again
# topology: guests

cluster
requests 300 before
same "all answered" 300 "$(field before "r['answered']")"

unplug 2
check "the others agree without it" wait_agree 30 1 3
requests 300 without
same "all answered by the others" 300 "$(field without "r['answered']")"
same "none by host 2" 0 "$(field without "r['hosts'].get('2', 0)")"

plug 2
check "it is a member again" wait_agree 60 1 2 3
requests 900 after
same "all answered" 900 "$(field after "r['answered']")"
check "host 2 serves again" [ "$(field after "r['hosts'].get('2', 0)")" -gt 200 ]
same "the client's neighbour entry" "$VIRTUAL_MAC" "$(neighbour)"
