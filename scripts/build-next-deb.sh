#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build-next-deb.sh [KERNEL…]: make packages as the next version would be, for
# tests of upgrades, below build/next/: those of a copy of this checkout with a
# higher version in debian/changelog, and with a module that differs from this
# one. Arguments and environment are those of build-deb.sh, which the copy has.
# Prints the directory. Like the others, they are made once for the same sources.

. "$(dirname "$0")/lib.sh"

NEXT=0.2.0

next=$NLB_ROOT/build/next

# copy_sources: what git knows, those about to be committed included; files that
# are the same stay as they are.
copy_sources() {
	local list=$next.files
	git -c safe.directory='*' -C "$NLB_ROOT" ls-files -z --cached --others --exclude-standard |
		(cd "$NLB_ROOT" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) >"$list"
	mkdir -p "$next"
	find "$next" -mindepth 1 -maxdepth 1 ! -name build ! -name .git -exec rm -rf -- {} +
	tar -C "$NLB_ROOT" --null --files-from="$list" -c | tar -C "$next" -x
	rm "$list"
	# build-deb.sh asks git for the files.
	[ -d "$next/.git" ] || git -c safe.directory='*' -C "$next" init -q
}

# raise_version: the packages', and a word in the module.
raise_version() {
	sed -i "1s/^nlb ([^)]*)/nlb ($NEXT)/" "$next/debian/changelog"
	sed -i 's/^\( *description: "[^"]*\)"/\1, as the next version has it"/' "$next/module/nlb_main.rs"
	! cmp -s "$NLB_ROOT/module/nlb_main.rs" "$next/module/nlb_main.rs" ||
		die "module/nlb_main.rs has no description that could be changed"
}

need_root "making packages"
mkdir -p "$NLB_ROOT/build"
exec 7>>"$NLB_ROOT/build/.next.lock"
flock 7
copy_sources
raise_version
"$next/scripts/build-deb.sh" "$@"
