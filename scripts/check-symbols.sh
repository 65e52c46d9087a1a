#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# check-symbols.sh MODULE SYMVERS RELEASE: will this kernel load the module?
# Each symbol it leaves undefined must be exported by the kernel (or a module
# of it), which for Rust symbols includes a hash of compiler and sources, and
# its version string must be the kernel's.

. "$(dirname "$0")/lib.sh"

[ "$#" = 3 ] || die "usage: check-symbols.sh MODULE SYMVERS RELEASE"
module=$1 symvers=$2 release=$3
[ -f "$module" ] || die "there is no module $module; run make module"
[ -f "$symvers" ] || die "there is no $symvers"

needed=$(nm --undefined-only --format=posix "$module" | awk '{ print $1 }' | sort -u)
exported=$(awk '{ print $2 }' "$symvers" | sort -u)
unknown=$(comm -23 <(printf '%s\n' "$needed") <(printf '%s\n' "$exported"))
count=$(wc -l <<<"$needed")
if [ -n "$unknown" ]; then
	printf '%s\n' "$unknown" >&2
	die "the $(wc -l <<<"$unknown") symbols above, of $count, are not exported by $release"
fi

# The first word is the release; the rest (SMP, preempt, …) comes from the
# same configuration.
magic=$(/sbin/modinfo -F vermagic "$module")
[ "${magic%% *}" = "$release" ] ||
	die "the module says it is for \"${magic%% *}\", and the kernel is $release"

owners=$(awk 'NR == FNR { need[$1]; next } ($2 in need) && $3 != "vmlinux" { print $3 }' \
	<(printf '%s\n' "$needed") "$symvers" | sort -u | tr '\n' ' ')
printf 'symbols: %s of %s in %s%s\n' "$count" "$count" "$release" \
	"${owners:+ (with modules: $owners)}"
