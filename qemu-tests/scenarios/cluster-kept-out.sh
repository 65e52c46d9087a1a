# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a host with other settings is kept out by name, and the rest serve on

cluster 2
add_host 3
serve 3
load busy --sources 100 --interval-ms 10 --timeout-ms 5000

# kept_out TEXT OPTION…: host 3 joins so, is out with a reason, and leaves.
kept_out() {
	local text=$1
	shift
	join 3 "$@"
	is_out() {
		[ "$(out_reason 3)" != null ]
	}
	check "$text: kept out" wait_until 10 is_out
	note "$text: $(out_reason 3)"
	check "$text: the others serve on" agree 1 2
	leave 3
}

kept_out "another affinity" --affinity single
kept_out "another period" --period 100ms
kept_out "another tolerance" --tolerance 8
kept_out "another VIP" --vip 10.0.0.11
join 3
check "with the same settings it is a member" wait_agree 20 1 2 3
load_end busy
same "failed requests" 0 "$(field busy '.requests - .answered')"
