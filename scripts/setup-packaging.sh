#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the Debian 13 root tree in which Debian packages of this checkout are
# made (packages.sh). It is apart from the tree of builds and guests, so that
# these are as quick to set up as without it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

make_tree() {
	debian_tree packaging "$1" "${packaging_packages[@]}"
}

need_root "making Debian packages"
"$NLB_ROOT/scripts/setup-host.sh"
step "$NLB_PACKAGING_TREE" "$NLB_PACKAGING_RECIPE" "Debian 13 tree for packages (0.9 GB)" make_tree
# Its age is the time since its last use.
touch "$NLB_PACKAGING_TREE.lock"
