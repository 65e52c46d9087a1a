#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cargo.sh ARG…: cargo, in the current directory, which is in the checkout: the
# host's where it is new enough, else the Debian 13 tree's, so that userspace
# builds on a host that has no Rust. What is built there runs in guests, and
# on hosts whose C library is not older than Debian 13's; "cargo.sh run" and
# "cargo.sh test" run it there.

. "$(dirname "$0")/lib.sh"

# The N of the oldest Rust 1.N that userspace and the core are held to.
MIN_MINOR=85

# host_minor: the N of the host's cargo 1.N, or nothing.
host_minor() {
	cargo --version 2>/dev/null | sed -nE 's/^cargo 1\.([0-9]+)\..*/\1/p' || :
}

minor=$(host_minor)
if [ -n "$minor" ] && [ "$minor" -ge "$MIN_MINOR" ]; then
	exec cargo "$@"
fi

need_root "cargo in the Debian 13 tree"
"$NLB_ROOT/scripts/setup-host.sh"
"$NLB_ROOT/scripts/setup-tree.sh"

# The registry's files are kept between runs; the host's own registry and
# proxy settings hold there too.
mkdir -p "$NLB_CACHE/cargo"
if [ -f "${HOME:-/root}/.cargo/config.toml" ]; then
	cp "${HOME:-/root}/.cargo/config.toml" "$NLB_CACHE/cargo/config.toml"
fi
binds=(-b "$NLB_ROOT" -b /etc/resolv.conf -b "$NLB_CACHE/cargo")
# So do the authorities that the host trusts, which may be more than Debian's.
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -f "$authorities" ]; then
	binds+=(-b "$authorities")
fi
mapfile -t settings < <(env | grep -E '^(CARGO|RUST|NLB|PROPTEST)_[A-Z_]*=|^[a-zA-Z]+_[pP][rR][oO][xX][yY]=' || :)
in_tree "${binds[@]}" -C "$PWD" env "${settings[@]}" "CARGO_HOME=$NLB_CACHE/cargo" cargo "$@"
