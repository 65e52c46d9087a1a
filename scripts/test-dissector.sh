#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does the Wireshark dissector (dist/wireshark) read in frames what the core reads?
# A test of the core makes frames of every kind, with what it reads in them, and
# frames with faults, each of which it takes or refuses; tshark has to agree field
# by field. Prints "ok NAME" and "not ok NAME", and last "N passed, N failed".
# What was compared is left in build/test/dissector/.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-verdict.sh"

dir=$NLB_ROOT/build/test/dissector
script=$NLB_ROOT/dist/wireshark/nlb.lua

# tshark ARG…: with the dissector, as a user: Wireshark runs no scripts as root.
tshark() {
	(NLB_TREE=$NLB_DISSECTOR_TREE exec_in_tree "$dir" setpriv --reuid=65534 --regid=65534 --clear-groups \
		env HOME=/tmp TZ=UTC tshark "$@")
}

# dissect FILE ARG…: frames of a capture as lines; errors of Lua are in dissector.log.
dissect() {
	tshark -X "lua_script:$script" -r "$@" 2>>"$dir/dissector.log"
}

# compare NAME: a result: what tshark prints is what is expected.
compare() {
	local lines
	lines=$(wc -l <"$dir/$1.expected")
	if diff -u "$dir/$1.expected" "$dir/$1.found" >"$dir/$1.diff"; then
		verdict "$1" 0 "tshark reads $lines lines as the core does"
	else
		head -n 20 "$dir/$1.diff" | cut -c1-300 >&2
		verdict "$1" 1 "$(grep -c '^-[^-]' "$dir/$1.diff") of $lines lines differ; see build/test/dissector/$1.diff"
	fi
}

# make_captures: what the core makes of them.
make_captures() {
	NLB_CAPTURE=$dir "$NLB_ROOT/scripts/cargo.sh" test --quiet --manifest-path "$NLB_ROOT/module/core/Cargo.toml" \
		--lib -- --exact capture::every_field_of_the_dissector_has_values_that_the_core_reads
	[ -s "$dir/frames.pcap" ]
}

# Each field of the dissector, but for the headings of others, is one that is compared.
test_fields() {
	local more
	tshark -G fields 2>/dev/null -X "lua_script:$script" >"$dir/fields" || :
	more=$(awk -F'\t' '$1 == "F" && $3 ~ /^nlb\./ && $4 != "FT_NONE" { print $3 }' "$dir/fields" |
		grep -vxFf <(head -n 1 "$dir/frames.expected" | tr '\t' '\n') || :)
	if [ -n "$more" ] || ! grep -q 'nlb\.kind' "$dir/fields"; then
		verdict fields 1 "not compared: $(paste -sd' ' <<<"$more")"
	else
		verdict fields 0 "$(head -n 1 "$dir/frames.expected" | wc -w) fields, each in some frame"
	fi
}

test_frames() {
	local name columns=()
	while IFS= read -r name; do
		columns+=(-e "$name")
	done < <(head -n 1 "$dir/frames.expected" | tr '\t' '\n')
	dissect frames.pcap -T fields -E header=y -E occurrence=a -E aggregator=, "${columns[@]}" >"$dir/frames.found"
	compare frames
}

test_mutants() {
	dissect mutants.pcap -T fields -e nlb.malformed -e frame.protocols |
		awk -F'\t' '{ print ($1 != "" ? "malformed" : "right") }' >"$dir/mutants.found"
	compare mutants
}

# finds NAME FILE FILTER NUMBERS: a result: a filter finds these frames of a capture.
finds() {
	local found
	found=$(dissect "$2" -Y "$3" -T fields -e frame.number | paste -sd' ')
	if [ "$found" = "$4" ]; then
		verdict "$1" 0 "\"$3\" finds ${4:-nothing}"
	else
		verdict "$1" 1 "\"$3\" finds ${found:-nothing}, not ${4:-nothing}"
	fi
}

# What others.pcap has is in module/core/src/capture/mod.rs.
test_others() {
	local found expected
	finds well-formed frames.pcap 'nlb.malformed || nlb.cut_short || nlbwrap.malformed || nlbwrap.routed || nlbprobe.routed' ''
	finds cut-short others.pcap 'nlb.cut_short && !nlb.malformed' 1
	finds routed others.pcap nlbwrap.routed 2
	finds not-ours others.pcap nlbwrap.malformed 3
	finds routed-probe others.pcap nlbprobe.routed 5
	finds others others.pcap '!nlb && !nlbwrap && !nlbprobe' '4 6'
	expected=$(awk -F'\t' -v OFS= 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "nlb.heartbeat.links.host") at = i }
		NR > 1 && "," $at "," ~ /,3,/ { print NR - 1 }' "$dir/frames.expected" | paste -sd' ')
	finds host-in-set frames.pcap 'nlb.heartbeat.links.host == 3' "$expected"
	found=$(dissect frames.pcap --disable-heuristic nlb_udp -d udp.port==7946,nlb -Y 'udp && nlb' | wc -l)
	expected=$(dissect frames.pcap -Y udp | wc -l)
	verdict decode-as "$((found == 0 || found != expected))" "$found of $expected datagrams, told to be of a relay"
	if grep -iE 'lua|error' "$dir/dissector.log" >&2; then
		verdict lua 1 "Lua tells of errors"
	else
		verdict lua 0 "no error of Lua"
	fi
}

need_root "make test T=dissector"
rm -rf -- "$dir"
mkdir -p "$dir"
"$NLB_ROOT/scripts/setup-dissector.sh"
if logged "$dir/captures.log" make_captures; then
	chmod -R a+rX "$dir"
	test_fields
	test_frames
	test_mutants
	test_others
else
	verdict captures 1 "the core makes no captures"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
