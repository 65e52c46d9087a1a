# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # test-packages.sh, which sources this, has them
#
# The package nlb-dkms on a plain Debian 13: what is missing is told in one line
# with what helps, and dpkg can go on; then DKMS builds nlb.ko; a purge leaves nothing.

# in_root NAME TEXT COMMAND: a shell command there succeeds.
in_root() {
	attempt "$1" "$2" inside "set -e; $3"
}

# build_again NAME: a result: DKMS builds the module, and how long it took.
build_again() {
	local began=$SECONDS
	in_root "$1" "dkms install, once more" "
		dkms remove -m nlb -v $version -k $release >/dev/null 2>&1 || :
		dkms install -m nlb -v $version -k $release"
	took=$((SECONDS - began))
}

# other_release: another kernel with headers there, which is built without Rust.
other_release() {
	inside "ls /lib/modules" | grep -v -x -F "$release" | head -n 1
}

# test_missing: nlb-dkms is installed where something is missing.
test_missing() {
	local old
	old=$(other_release)
	refused dkms-no-source "^nlb: the sources of kernel .* are missing: apt install linux-source-$series=${kernel_version//+/.}" \
		"apt-get install -y --no-install-recommends ./nlb-dkms_*_all.deb"
	in_root dkms-no-source-state "dpkg waits for nlb-dkms alone" \
		'[ "$(dpkg-query -W -f "\${db:Status-Abbrev} \${Package}\n" | grep -v "^ii ")" = "iF  nlb-dkms" ]'
	# Its remedy, as printed; the power fails while the metadata is made.
	in_root dkms-interrupted "killed in the middle of it: dpkg waits for nlb-dkms" "
		unshare --mount --pid --fork --kill-child --mount-proc \
			sh -c 'apt-get install -y --no-install-recommends linux-source-$series=$kernel_version; exit' &
		until [ -d /var/cache/nlb-dkms/$release/build/rust ]; do kill -0 \$! || exit 1; sleep 0.1; done
		kill -KILL \$!; ! wait \$!
		! dpkg-query -W -f '\${db:Status-Abbrev}' nlb-dkms | grep -q '^ii'"
	in_root dkms-source "dpkg and apt go on: nlb-dkms is configured" \
		"dpkg --configure -a && apt-get install -f -y --no-install-recommends"
	in_root dkms-installed "the module is installed" "dkms status -m nlb -k $release | grep -q ': installed'"

	refused dkms-no-rust "^nlb: kernel ${old//+/.} is built without Rust \(CONFIG_RUST is off\).* boot one of trixie-backports" \
		"dkms install -m nlb -v $version -k $old"
	in_root dkms-no-rust-state "that kernel's headers are configured all the same" \
		'[ -z "$(dpkg-query -W -f "\${db:Status-Abbrev} \${Package}\n" | grep -v "^ii ")" ]'
	refused dkms-old "^nlb: kernel ${old//+/.} is older than 7\.2 .* boot one of trixie-backports" "
		sed 's/^# CONFIG_RUST is not set/CONFIG_RUST=y/' /usr/src/linux-headers-$old/.config >/tmp/config
		grep -q CONFIG_RUST=y /tmp/config || echo CONFIG_RUST=y >>/tmp/config
		mount --bind /tmp/config /usr/src/linux-headers-$old/.config
		dkms install -m nlb -v $version -k $old"
	refused dkms-no-headers 'headers for kernel 7\.3\.999 cannot be found' \
		"dkms install -m nlb -v $version -k 7.3.999"

	refused dkms-wrong-rustc "^nlb: kernel .* was built with \"rustc 1[^\"]*\" and rustc here is \"rustc 9.9.9\": apt install rustc" "
		mkdir /tmp/bin; printf '#!/bin/sh\necho rustc 9.9.9\n' >/tmp/bin/rustc; chmod +x /tmp/bin/rustc
		mount --bind /tmp/bin/rustc \$(realpath /usr/bin/rustc)
		dkms remove -m nlb -v $version -k $release >/dev/null; dkms install -m nlb -v $version -k $release"
	refused dkms-no-space "^nlb: /var/cache/nlb-dkms has [0-9]+ MiB of free disk, .* needs [0-9]+: make room" "
		mount -t tmpfs -o size=64m small /var/cache/nlb-dkms
		dkms install -m nlb -v $version -k $release"
}

# test_build: from nothing, and with the metadata there; the module is kept.
test_build() {
	local kept=$logs/$release
	rm -rf -- "$root/var/cache/nlb-dkms"
	build_again dkms-first
	verdict dkms-first-time "$((took > FIRST_BUILD))" "$took s for metadata and module (must hold: $FIRST_BUILD)"
	build_again dkms-next
	verdict dkms-next-time "$((took > NEXT_BUILD))" "$took s with the metadata there (must hold: $NEXT_BUILD)"
	verdict dkms-size 0 "$(du -sm "$root/var/cache/nlb-dkms" | cut -f1) MiB in /var/cache/nlb-dkms"
	mkdir -p "$kept"
	in_root dkms-module "nlb.ko, out of /lib/modules" \
		"find /lib/modules/$release/updates -name 'nlb.ko*' -exec cp {} $kept/ \;
		[ ! -e $kept/nlb.ko.xz ] || unxz -f $kept/nlb.ko.xz; [ -s $kept/nlb.ko ]"
	attempt dkms-symbols "its symbols are those of $release" \
		"$NLB_ROOT/scripts/enter.sh" scripts/check-symbols.sh "$kept/nlb.ko" \
		"$root/usr/src/linux-headers-$release/Module.symvers" "$release"
}

# test_upgrade: to the next version, whose build fails at first: the kernel has the
# module of this one until it is built.
test_upgrade() {
	local next
	next=$(NLB_PROFILE=guest "$NLB_ROOT/scripts/build-next-deb.sh")
	in_root dkms-before-upgrade "the module of this version is kept" \
		"cp /lib/modules/$release/updates/dkms/nlb.ko* /root/"
	refused dkms-upgrade-fails "^nlb: kernel .* was built with" "set -e
		mkdir /tmp/bin; printf '#!/bin/sh\necho rustc 9.9.9\n' >/tmp/bin/rustc; chmod +x /tmp/bin/rustc
		mount --bind /tmp/bin/rustc \$(realpath /usr/bin/rustc)
		apt-get install -y --no-install-recommends $next/nlb-dkms_*_all.deb"
	in_root dkms-upgrade-fails-state "dpkg waits for nlb-dkms, and the kernel has the module of before" '
		[ "$(dpkg-query -W -f "\${db:Status-Abbrev} \${Package}\n" | grep -v "^ii ")" = "iF  nlb-dkms" ]
		cmp /root/nlb.ko* /lib/modules/'"$release"'/updates/dkms/nlb.ko*'
	in_root dkms-upgrade "dpkg goes on: the module of the next version is there" "
		dpkg --configure -a
		! cmp /root/nlb.ko* /lib/modules/$release/updates/dkms/nlb.ko*
		[ \"\$(ls -A /lib/modules/$release/updates/dkms | wc -l)\" = 1 ]
		rm /root/nlb.ko*"
}

test_dkms() {
	local release series kernel_version version took
	release=$("$NLB_ROOT/scripts/kernel-release.sh")
	series=$(kernel_series "$release")
	version=$(dpkg-deb -f "$debs"/nlb-dkms_*_all.deb Version)
	kernel_version=$(package_version "linux-headers-$release")
	satisfy dkms nlb-dkms_*_all.deb
	in_root headers "headers of $release, and of Debian 13's own kernel" \
		"apt-get install -y --no-install-recommends linux-headers-$release linux-headers-cloud-amd64"
	files before-dkms
	test_missing
	test_build
	test_upgrade
	in_root dkms-purge "apt-get purge" "apt-get purge -y nlb-dkms"
	# The key belongs to dkms: it signs the modules of other packages too.
	nothing_left dkms-purged before-dkms '^var/lib/dkms/mok\.(key|pub)$|^usr/(src|share/doc)/linux-source-'
}
