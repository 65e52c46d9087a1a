#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the small Debian 13 that guests run, as a tree (guest/userland.tree);
# setup-guest.sh makes a disk of it. It may run on the host while the Debian 13
# tree for builds is made.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

make_userland() {
	debian_tree userland "$1" "${guest_packages[@]}"
}

need_root "making guest images"
step "$NLB_CACHE/guest/userland.tree" "3 $NLB_SUITE ${guest_packages[*]}" \
	"guests' Debian 13" make_userland
