#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# setup-host.sh [PACKAGE…]: install what is missing of the packages that
# set-up and the module build use on the host, and of the PACKAGEs named.
# With nothing missing it takes milliseconds and no network.

. "$(dirname "$0")/lib.sh"

packages=(
	mmdebstrap debian-archive-keyring # the Debian 13 tree
	kmod binutils                     # depmod, modinfo; nm
	xz-utils zstd cpio diffutils      # unpacking, comparing
	"$@"
)

# missing: those of the packages that dpkg does not have installed.
missing() {
	local installed package
	installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' \
		"${packages[@]}" 2>/dev/null | sed -n 's/^installed //p' || :)
	for package in "${packages[@]}"; do
		grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
	done
}

install_packages() {
	local get=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3
		-o DPkg::Lock::Timeout=300)
	"${get[@]}" update
	"${get[@]}" install --yes --no-install-recommends "$@"
}

command -v apt-get >/dev/null ||
	die "set-up needs a Debian host (12 or newer): apt-get is missing"
mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" != 0 ]; then
	need_root "installing ${wanted[*]}"
	say "set-up: host packages ${wanted[*]}…"
	logged "$NLB_CACHE/log/host-packages.log" install_packages "${wanted[@]}"
fi
