#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the Debian 13 root tree with tshark, in which the dissector of dist/wireshark
# is tried (packages.sh). It is apart from the tree of builds and guests, which need
# nothing of it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

make_tree() {
	debian_tree dissector "$1" "${dissector_packages[@]}"
}

need_root "trying the dissector"
"$NLB_ROOT/scripts/setup-host.sh"
step "$NLB_DISSECTOR_TREE" "$NLB_DISSECTOR_RECIPE" "Debian 13 tree with tshark (0.4 GB)" make_tree
# Its age is the time since its last use.
touch "$NLB_DISSECTOR_TREE.lock"
