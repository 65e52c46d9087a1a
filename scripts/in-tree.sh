#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The inner half of in_tree (scripts/lib.sh): runs inside a fresh mount
# namespace, mounts what the command needs below the tree, and becomes the
# command. Not for direct use: without that namespace the mounts would stay.

set -euo pipefail

tree=${NLB_TREE:?is set by in_tree}
dir=/

# bind FROM TO: make FROM visible at TO inside the tree.
bind() {
	if [ -d "$1" ]; then
		mkdir -p "$tree$2"
	else
		mkdir -p "$(dirname "$tree$2")"
		[ -e "$tree$2" ] || : >"$tree$2"
	fi
	mount --rbind "$1" "$tree$2"
}

while getopts b:B:C: opt; do
	case $opt in
	b) bind "$OPTARG" "$OPTARG" ;;
	B) bind "${OPTARG%%:*}" "${OPTARG#*:}" ;;
	C) dir=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"

# Nothing of the caller's environment may change what is built, apart from
# what the command line names.
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
	TERM="${TERM:-dumb}" \
	chroot "$tree" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$dir" "$@"
