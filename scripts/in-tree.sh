#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# in-tree.sh DIR CMD…: the inner half of exec_in_tree (scripts/lib.sh): runs
# inside a fresh mount namespace, mounts what commands need below the tree, and
# becomes CMD in DIR. Not for direct use: without that namespace the mounts
# would stay.

set -euo pipefail

tree=${NLB_TREE:?is set by exec_in_tree}

# bind PATH [TO]: make PATH visible in the tree, under the same name or as TO.
bind() {
	local to=$tree${2:-$1}
	if [ -d "$1" ]; then
		mkdir -p "$to"
	elif [ ! -f "$to" ]; then
		mkdir -p "$(dirname "$to")"
		rm -f -- "$to"
		: >"$to"
	fi
	mount --bind "$1" "$to"
}

# bind_git: where the checkout is a worktree of another one, git needs that too.
bind_git() {
	local common
	[ -f "$NLB_ROOT/.git" ] || return 0
	common=$(sed -n 's|^gitdir: \(/.*\)/worktrees/.*|\1|p' "$NLB_ROOT/.git")
	if [ -d "$common" ]; then
		bind "$common"
	fi
}

# A mount point of its own, so that the root directory is one for its commands.
mount --bind "$tree" "$tree"
bind "$NLB_CACHE"
bind "$NLB_ROOT"
bind_git
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --rbind /sys "$tree/sys"
mount -t tmpfs -o mode=1777 tmp "$tree/tmp"
mount -t tmpfs -o mode=755 run "$tree/run"

# The host's name service, and the authorities that it trusts, which may be
# more than Debian's.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
	if [ -f "$file" ]; then
		bind "$(realpath -- "$file")" "$file"
	fi
done

# cargo's files are kept between runs; the host's registry settings hold.
mkdir -p "$NLB_CACHE/cargo"
if [ -f "${CARGO_HOME:-${HOME:-/root}/.cargo}/config.toml" ]; then
	cp "${CARGO_HOME:-${HOME:-/root}/.cargo}/config.toml" "$NLB_CACHE/cargo/config.toml"
fi

# Of the caller's environment, what steers this project, cargo and proxies.
settings=()
while IFS= read -r -d '' setting; do
	case $setting in
	NLB_TREE=* | CARGO_HOME=*) ;;
	NLB_* | CARGO_* | PROPTEST_* | INSTA_* | RUSTFLAGS=* | RUST_BACKTRACE=* | *_[pP][rR][oO][xX][yY]=* | \
		LONG=* | SEED=* | CLUSTERS=* | KDIR=* | CI=* | TERM=*) settings+=("$setting") ;;
	esac
done < <(env -0)
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb \
	"${settings[@]}" "CARGO_HOME=$NLB_CACHE/cargo" NLB_IN_TREE=1 \
	chroot "$tree" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$@"
