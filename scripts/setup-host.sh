#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Install what the host lacks to make the Debian 13 tree (packages.sh), and note
# which archive and proxies the host's apt uses. With nothing missing it takes
# milliseconds and no network.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# missing: those of the packages that dpkg does not have installed.
missing() {
	local installed package
	installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' \
		"${host_packages[@]}" 2>/dev/null | sed -n 's/^installed //p' || :)
	for package in "${host_packages[@]}"; do
		grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
	done
}

install_packages() {
	local get=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3
		-o DPkg::Lock::Timeout=300)
	# An archive besides Debian's that cannot be reached must not be in the
	# way; what is really missing, the next line says.
	"${get[@]}" update || :
	"${get[@]}" install --yes --no-install-recommends "$@"
}

# host_archive: the first network archive of Debian itself in the host's
# configuration, or nothing.
host_archive() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets 'Created-By: Packages' 'Component: main' \
		'Origin: Debian' 'Label: Debian' --format '$(REPO_URI)' |
		awk '!/^(cdrom|file|copy):/ && !found { sub("/$", ""); print; found = 1 }'
}

# host_proxies: the host's proxy settings for apt, as lines of an apt.conf.
host_proxies() {
	apt-config dump | sed -nE \
		's/^(Acquire::[a-z]+::Proxy(::[^ ]+)?) "(.+)";$/\1 "\3";/p'
}

# note_settings: keep what the host's apt is configured for. Which archive is
# Debian's is told by the release files, and a fresh host has none yet.
note_settings() {
	local uri
	mkdir -p "$NLB_APT"
	uri=$(host_archive)
	if [ -z "$uri" ] && [ "$(id -u)" = 0 ]; then
		# An archive that cannot be reached must not hide the others.
		logged "$NLB_CACHE/log/host-update.log" apt-get -q update || :
		uri=$(host_archive)
	fi
	host_proxies >"$NLB_HOST_PROXIES"
	printf '%s\n' "$uri" >"$NLB_HOST_MIRROR.tmp"
	mv -T -- "$NLB_HOST_MIRROR.tmp" "$NLB_HOST_MIRROR"
}

# settings_are_noted: true if apt's configuration is as it was then.
settings_are_noted() {
	[ -s "$NLB_HOST_MIRROR" ] &&
		[ -z "$(find /etc/apt -newer "$NLB_HOST_MIRROR" -not -name '*.swp' -print -quit)" ]
}

# Steps that run in the tree call this too; the host was ready before it was made.
[ -z "${NLB_IN_TREE:-}" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
	die "set-up needs a Debian host (12 or newer): apt-get is missing"
mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" != 0 ]; then
	need_root "installing ${wanted[*]}"
	say "set-up: host packages ${wanted[*]}…"
	logged "$NLB_CACHE/log/host-packages.log" install_packages "${wanted[@]}" ||
		die "the host packages ${wanted[*]} cannot be installed:" \
			"$(apt_trouble "$NLB_CACHE/log/host-packages.log")"
fi
settings_are_noted || note_settings
