#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the Debian 13 root tree with mdBook, which only the documentation as a site needs (packages.sh).

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

make_tree() {
	debian_tree site "$1" "${site_packages[@]}"
}

need_root "making the site"
"$NLB_ROOT/scripts/setup-host.sh"
step "$NLB_SITE_TREE" "$NLB_SITE_RECIPE" "Debian 13 tree with mdBook (0.3 GB)" make_tree
# Its age is the time since its last use.
touch "$NLB_SITE_TREE.lock"
