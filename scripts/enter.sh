#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# enter.sh CMD…: run CMD in the Debian 13 tree, in the current directory, which
# is in the checkout; the tree is made if need be. "enter.sh bash" is a look
# around. "enter.sh --ready" only makes it.

. "$(dirname "$0")/lib.sh"

if [ -z "${NLB_IN_TREE:-}" ]; then
	need_root "a command in the Debian 13 tree"
	"$NLB_ROOT/scripts/setup-host.sh"
	"$NLB_ROOT/scripts/setup-tree.sh"
fi
if [ "${1:-}" = --ready ]; then
	exit 0
fi
if [ -n "${NLB_IN_TREE:-}" ]; then
	exec "$@"
fi
exec_in_tree "$PWD" "$@"
