#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the memory that nlb allocated and that nothing points to any more, as
# the debug kernel's leak detector sees it. Exit code: 0 if there is none, 1 if
# there is some, 2 if the detector or lockdep does not work.

report=/sys/kernel/debug/kmemleak

# Whatever else has found fault with the kernel turns this off without a word.
if ! grep -q '^ debug_locks: *1$' /proc/lockdep_stats; then
	echo "lockdep is off"
	exit 2
fi

scan() {
	if ! echo scan >"$report"; then
		echo "kmemleak does not scan; is this the debug kernel?"
		exit 2
	fi
}

# Objects younger than five seconds are not looked at, and a suspect is
# reported only when the next scan finds it unchanged.
for ((end = SECONDS + 6; SECONDS < end; )); do
	scan
done
scan

# Of a module that is gone, only addresses are left in the traces; no other
# module than nlb is ever removed here.
found=$(awk '
	function flush() { if (ours) printf "%s", object; object = ""; ours = 0 }
	/^unreferenced object/ { flush() }
	{ object = object $0 "\n" }
	/\[nlb\]/ || /^ +(\[<[0-9a-f]+>\] )?0x[0-9a-f]+$/ { ours = 1 }
	END { flush() }' "$report") || exit 2
[ -z "$found" ] || {
	printf '%s\n' "$found"
	exit 1
}
