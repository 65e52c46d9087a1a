#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make.sh RELEASE: build nlb.ko in the current directory, against the tree that
# prepare.sh has seen to. DKMS calls it.

set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
unset MAKEFLAGS MAKELEVEL MFLAGS KBUILD_OUTPUT ARCH CROSS_COMPILE

# shellcheck source=../../scripts/lib-metadata.sh
. "$(dirname "$(realpath -- "$0")")/lib-metadata.sh"

# lib-metadata.sh looks for the configuration here.
headers=/var/cache/nlb-dkms/$1/build
exec make -j"$(nproc)" -C "$headers" M="$PWD" CC="$(kernel_compiler)" modules
