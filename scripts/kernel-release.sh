#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the kernel release that NLB_KERNEL names, or with "each" the newest of
# each series and flavour that a module can be built for, with "all" all of these:
#   unset or empty   the newest stock cloud kernel of trixie-backports, by its metapackage
#   generic, cloud, rt
#                    the newest of that flavour: generic is what bare metal runs
#   7.2, 7.3, …      the newest cloud kernel of that series in the archive
#   7.2-generic, …   the newest of that series and flavour
#   running          the kernel that this machine runs, if it is a stock one
#   a whole release  that one (7.2.12+deb13-cloud-amd64, 7.3.4+deb13-amd64)
#   debug, 7.2-debug, RELEASE-debug
#                    the debug kernel of the same sources (setup-debug-kernel.sh)
#
# The answer is kept, so that a warm cache works offline and at once;
# NLB_REFRESH=1 asks the archive again. Nothing here pins a version, since
# backports replace theirs every few weeks.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# An answer is asked for again after a day, in seconds: the archive moves on
# every few weeks, and the question takes three seconds and the network.
MAX_AGE=86400

# ending FLAVOUR: how the releases of a flavour end.
ending() {
	case $1 in
	generic) echo -amd64 ;;
	*) echo "-$1-amd64" ;;
	esac
}

# of_flavour FLAVOUR: of the releases on standard input, those. Their versions
# have no hyphen, so "-amd64" is not taken for the end of "-cloud-amd64".
of_flavour() {
	sed -nE "s/^linux-headers-([0-9][^-]*$(ending "$1"))$/\1/p"
}

# newest_of_metapackage FLAVOUR: the release that backports' metapackage depends on.
newest_of_metapackage() {
	private_apt apt-cache show "linux-image$(ending "$1")" | sed -nE \
		"s/^Depends:.*linux-image-([0-9][^- ,]*$(ending "$1"))[ ,].*/\1/p" | sort -V | tail -n 1
}

# newest_of_series X.Y FLAVOUR: its newest release that has headers and sources.
newest_of_series() {
	local release
	while IFS= read -r release; do
		if has_source "$release"; then
			printf '%s\n' "$release"
			return
		fi
	done < <(private_apt apt-cache pkgnames "linux-headers-$1." | of_flavour "$2" | sort -rV)
}

# has_source RELEASE: true if the source package of its very version is there.
has_source() {
	local version series
	version=$(package_version "linux-headers-$1")
	series=$(kernel_series "$1")
	[ -n "$version" ] && [ -n "$(package_version "linux-source-$series" "$version")" ]
}

# resolve WANTED: print the release, or nothing when the archive has none.
resolve() {
	case $1 in
	'') newest_of_metapackage cloud ;;
	generic | cloud | rt) newest_of_metapackage "$1" ;;
	*-amd64) if has_source "$1"; then printf '%s\n' "$1"; fi ;;
	*-*) newest_of_series "${1%%-*}" "${1#*-}" ;;
	*) newest_of_series "$1" cloud ;;
	esac
}

# fresh FILE: true if it holds an answer younger than MAX_AGE.
fresh() {
	[ -s "$1" ] && [ -z "${NLB_REFRESH:-}" ] &&
		[ $(($(date +%s) - $(stat -c %Y "$1"))) -lt "$MAX_AGE" ]
}

# known_releases: all that the archive has headers of, newest last.
known_releases() {
	private_apt apt-cache pkgnames linux-headers- |
		sed -nE 's/^linux-headers-([0-9].*-amd64)$/\1/p' | sort -V | tr '\n' ' '
}

# buildable: of all releases those with Rust and with their sources, newest first.
buildable() {
	local release
	for release in $(known_releases); do
		if [ "$(printf '%s\n7.2\n' "$release" | sort -V | head -n 1)" = 7.2 ] && has_source "$release"; then
			printf '%s\n' "$release"
		fi
	done | sort -rV
}

# each: of those the newest of its series and flavour.
each() {
	buildable | awk '{
		name = $0
		sub(/^[0-9]+\.[0-9]+\.[0-9]+[^-]*/, "", name)
		split($0, part, ".")
		if (!seen[part[1] "." part[2] name]++) print
	}'
}

if [ -n "${1:-}" ]; then
	exec 9>"$NLB_CACHE/apt.lock"
	flock 9
	private_apt_update || die "the Debian archive cannot be reached: check the network or set NLB_DEBIAN_MIRROR"
	case $1 in
	each) each ;;
	all) buildable ;;
	*) die "usage: kernel-release.sh [each|all]" ;;
	esac
	exit 0
fi

wanted=${NLB_KERNEL:-}
if [ "$wanted" = running ]; then
	wanted=$(uname -r)
fi
case $wanted in
debug | *-debug)
	stock=${wanted%debug}
	stock=$(NLB_KERNEL=${stock%-} "$0")
	printf '%s-debug\n' "$stock"
	exit 0
	;;
esac
series='[0-9]+\.[0-9]+'
if ! [[ $wanted =~ ^(|generic|cloud|rt|$series(-(generic|cloud|rt))?|$series[^-/]*(-cloud|-rt)?-amd64)$ ]]; then
	die "NLB_KERNEL=$wanted is neither a flavour (generic, cloud, rt), a series (7.2, 7.2-generic)" \
		"nor a release of Debian's (7.2.12+deb13-amd64)"
fi

# A release whose tree stands in the cache needs no question at all.
if [ -n "$wanted" ] && [ -e "$NLB_CACHE/kernels/$wanted/build.done" ]; then
	printf '%s\n' "$wanted"
	exit 0
fi

answer=$NLB_CACHE/kernels/.release-${wanted:-newest}
if fresh "$answer"; then
	cat "$answer"
	exit 0
fi

mkdir -p "$NLB_CACHE/kernels"
exec 9>"$NLB_CACHE/apt.lock"
flock 9
if fresh "$answer"; then
	cat "$answer"
	exit 0
fi

say "set-up: asking the Debian archive for kernel ${wanted:-(newest stock cloud kernel)}…"
release=
if private_apt_update; then
	release=$(resolve "$wanted")
	[ -n "$release" ] || die "the Debian archive has no kernel ${wanted:-of backports}" \
		"with headers and sources of one version; these exist: $(known_releases)"
	# Scripts that are called next ask for it by its whole name.
	for answer in "$answer" "$NLB_CACHE/kernels/.release-$release"; do
		printf '%s\n' "$release" >"$answer.tmp"
		mv -T -- "$answer.tmp" "$answer"
	done
elif [ -s "$answer" ]; then
	release=$(<"$answer")
	say "set-up: the Debian archive cannot be reached; going on with $release from the cache"
	# Asked again in an hour, not by each of the scripts that run now.
	touch -d "$((MAX_AGE - 3600)) seconds ago" "$answer"
else
	die "the Debian archive cannot be reached, and the cache knows no kernel" \
		"${wanted:-of backports}; check the network or set NLB_DEBIAN_MIRROR"
fi
printf '%s\n' "$release"
