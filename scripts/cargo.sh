#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cargo.sh ARG…: cargo, in the current directory, which is in the checkout: the
# Debian 13 tree's, so that what is built runs on each host that nlb is for.
# NLB_RUST=host takes the host's own, which may be newer; what it builds goes to
# another directory (build/host-target), so that the two do not undo each other's work.

. "$(dirname "$0")/lib.sh"

if [ "${NLB_RUST:-}" = host ]; then
	command -v cargo >/dev/null || die "this host has no cargo of its own: unset NLB_RUST"
	export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$NLB_ROOT/build/host-target}
	exec cargo "$@"
fi
enter_tree "$@"
exec cargo "$@"
