#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the Debian 13 root tree in which builds, guests and tests run: the tool
# chain with which Debian built its backports kernels, so that a module built
# in it fits them, the emulator, and everything else (packages.sh).

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# Days after which an unused tree of another list of packages is removed.
KEEP_DAYS=14

make_tree() {
	debian_tree tree "$1" "${tree_packages[@]}"
}

# remove_old_trees: trees that were not used for KEEP_DAYS and are not in use now.
remove_old_trees() {
	local lock old
	find "$NLB_CACHE/trees" -maxdepth 1 -name '*.lock' -mtime "+$KEEP_DAYS" | while IFS= read -r lock; do
		old=${lock%.lock}
		if [ "$old" != "$NLB_TREE" ]; then
			flock -n "$lock" rm -rf --one-file-system -- "$old" "$old.done" "$lock" || :
		fi
	done
}

need_root "make setup"
[ -z "${NLB_IN_TREE:-}" ] || exit 0
if ! is_done "$NLB_TREE" "$NLB_TREE_RECIPE"; then
	step "$NLB_TREE" "$NLB_TREE_RECIPE" "Debian 13 tree with compilers and emulator (1.4 GB)" make_tree
	remove_old_trees
fi
# Its age is the time since its last use.
touch "$NLB_TREE.lock"
