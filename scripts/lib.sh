# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every set-up and build script shares: where the cache is, progress
# lines, resumable steps, and the way into the Debian 13 tree.
# Source it; it only defines functions and the NLB_* variables below.

set -euo pipefail

NLB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export NLB_ROOT

# Everything that set-up makes lives here, outside the checkout. The path is
# made absolute because steps change directory and bind it into the tree.
NLB_CACHE=$(realpath -m -- "${NLB_CACHE:-${HOME:-/root}/.cache/nlb}")

# The Debian release that builds the module: the one whose rustc and gcc built
# the backports kernels.
export NLB_SUITE=trixie

# shellcheck source=packages.sh
. "$NLB_ROOT/scripts/packages.sh"

# The Debian 13 root tree in which everything runs that is not a host's own
# business. Its name tells what is in it, so that checkouts with other lists of
# packages can share a cache.
NLB_TREE_RECIPE="5 $NLB_SUITE ${tree_packages[*]}"
NLB_TREE=$NLB_CACHE/trees/$(sha256sum <<<"$NLB_TREE_RECIPE" | cut -c1-12)

# The tree in which Debian packages are made (setup-packaging.sh).
NLB_PACKAGING_RECIPE="1 $NLB_SUITE ${packaging_packages[*]}"
NLB_PACKAGING_TREE=$NLB_CACHE/trees/packaging-$(sha256sum <<<"$NLB_PACKAGING_RECIPE" | cut -c1-12)

# The tree in which the dissector is tried (test-dissector.sh).
NLB_DISSECTOR_RECIPE="1 $NLB_SUITE ${dissector_packages[*]}"
NLB_DISSECTOR_TREE=$NLB_CACHE/trees/dissector-$(sha256sum <<<"$NLB_DISSECTOR_RECIPE" | cut -c1-12)

# The tree in which the documentation becomes a site (build-site.sh).
NLB_SITE_RECIPE="1 $NLB_SUITE ${site_packages[*]}"
NLB_SITE_TREE=$NLB_CACHE/trees/site-$(sha256sum <<<"$NLB_SITE_RECIPE" | cut -c1-12)

# So many builds of modules and programs are kept for other checkouts.
KEEP_BUILDS=24

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

# enter_tree "$@": the rest of the script that calls this runs in the Debian 13
# tree, which is made if need be. The checkout and the cache have the same names
# there; mounts live in a mount namespace of their own and end with the script.
enter_tree() {
	[ -z "${NLB_IN_TREE:-}" ] || return 0
	"$NLB_ROOT/scripts/enter.sh" --ready || exit
	exec_in_tree "$PWD" "$(realpath -- "$0")" "$@"
}

# exec_in_tree DIR CMD…: become CMD in the tree, in the directory DIR.
exec_in_tree() {
	# The shared lock keeps set-up from removing the tree under a command.
	exec 8>>"$NLB_TREE.lock"
	flock -s 8
	NLB_TREE=$NLB_TREE exec unshare --mount --propagation private \
		-- "$NLB_ROOT/scripts/in-tree.sh" "$@"
}

# clean_run [-B FROM:TO] CMD…: run CMD, in the tree, with nothing of the
# caller's environment, which must not change what is built. FROM is visible to
# it as TO.
clean_run() {
	local from= to=
	if [ "$1" = -B ]; then
		from=${2%%:*} to=${2#*:}
		shift 2
		mkdir -p "$to"
	fi
	# shellcheck disable=SC2016 # the inner shell expands these
	unshare --mount --propagation private -- sh -ec '
		[ -z "$1" ] || mount --bind "$1" "$2"
		shift 2
		exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" "$@"
	' sh "$from" "$to" "$@"
}

# sources_hash PATH…: a name for the content of files and directories of the
# checkout, whatever their times and the checkout's place.
sources_hash() {
	(cd "$NLB_ROOT" && find "$@" -name target -prune -o -name __pycache__ -prune -o -type f -print0 |
		LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
}

# prune DIR KEEP: remove all but the KEEP newest results of steps in DIR.
prune() {
	local old
	find "$1" -maxdepth 1 -name '*.done' -printf '%T@ %p\n' | sort -rn | tail -n "+$(($2 + 1))" |
		cut -d' ' -f2- | while IFS= read -r old; do
		rm -rf --one-file-system -- "$old" "${old%.done}" "${old%.done}.lock"
	done
}
