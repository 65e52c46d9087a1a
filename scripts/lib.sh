# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every set-up and build script shares: where the cache is, progress
# lines, resumable steps, and running a command inside the Debian 13 tree.
# Source it; it only defines functions and the NLB_* variables below.

set -euo pipefail

NLB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Everything that set-up makes lives here, outside the checkout. The path is
# made absolute because steps change directory and bind it into the tree.
NLB_CACHE=$(realpath -m -- "${NLB_CACHE:-${HOME:-/root}/.cache/nlb}")

# The Debian release that builds the module: the one whose rustc and gcc built
# the backports kernels.
export NLB_SUITE=trixie

# The Debian 13 root tree that holds the kernel's own tool chain.
NLB_TREE=$NLB_CACHE/tree

# Progress counts from the first script of a chain, so it is exported.
export NLB_START=${NLB_START:-$(date +%s)}
export NLB_CACHE

# say TEXT…: one progress line on standard error, so that standard output
# stays free for what a script answers.
say() {
	printf '[%3ds] %s\n' "$(($(date +%s) - NLB_START))" "$*" >&2
}

# die TEXT…: say what is wrong and what to do, and fail.
die() {
	printf 'nlb: %s\n' "$*" >&2
	exit 1
}

# need_root WHAT: set-up mounts, makes device nodes and runs chroot.
need_root() {
	[ "$(id -u)" = 0 ] || die "${1:-this} must run as root: try again with sudo -E"
}

# is_done DEST RECIPE: true if DEST was made, completely, by this recipe.
is_done() {
	local stamp=$1.done
	[ -e "$1" ] && [ -f "$stamp" ] && [ "$(<"$stamp")" = "$2" ]
}

# step DEST RECIPE WHAT CMD…: make DEST once.
#
# CMD gets a path that does not exist yet as its last argument and makes the
# file or directory there (and scratch files of names that begin so); only when it succeeds is the result renamed to DEST
# and stamped with RECIPE, a line naming everything the result depends on. A
# run that was cut short leaves no stamp and is redone; another recipe redoes
# the step too; two runs at once wait for each other on a lock.
step() {
	local dest=$1 recipe=$2 what=$3
	shift 3
	if is_done "$dest" "$recipe"; then
		return 0
	fi
	mkdir -p "$(dirname "$dest")"
	# The subshell holds the lock, whose descriptor the tools started below
	# inherit; a detached one would keep it, and none of them detaches.
	(
		if ! flock -n 9; then
			say "set-up: $what: another run is at it, waiting"
			flock 9
		fi
		if is_done "$dest" "$recipe"; then
			exit 0
		fi
		say "set-up: $what…"
		rm -rf --one-file-system -- "$dest.done" "$dest.tmp"*
		# A function called in a condition runs without "set -e", and a
		# step must stop at its first error, hence no "if" and no "||".
		trap '[ -e "$dest.done" ] || say "set-up: $what: FAILED"' EXIT
		"$@" "$dest.tmp"
		rm -rf --one-file-system -- "$dest"
		mv -T -- "$dest.tmp" "$dest"
		printf '%s\n' "$recipe" >"$dest.done.tmp"
		mv -T -- "$dest.done.tmp" "$dest.done"
	) 9>>"$dest.lock"
}

# logged FILE CMD…: run CMD with its output in FILE; show the end of it only
# when CMD fails.
logged() {
	local log=$1 rc=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 || rc=$?
	if [ "$rc" != 0 ]; then
		tail -n 40 -- "$log" >&2
		printf 'nlb: "%s" failed with code %s; all of its output is in %s\n' \
			"$1" "$rc" "$log" >&2
	fi
	return "$rc"
}

# in_tree [-b PATH]… [-B HOSTPATH:TREEPATH]… [-C DIR] CMD…: run CMD in the
# Debian 13 tree. Each PATH is visible there under the same name, so compilers
# name files as the caller knows them. All mounts are made in a mount
# namespace of their own and end with CMD.
#
# The shared lock keeps set-up from replacing the tree under a running command.
in_tree() {
	(
		flock -s 8
		NLB_TREE=$NLB_TREE unshare --mount --propagation private \
			-- "$NLB_ROOT/scripts/in-tree.sh" "$@"
	) 8>>"$NLB_TREE.lock"
}
