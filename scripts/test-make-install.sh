# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Do "make install" and the RPM packages put in place what they promise?
# test-packages.sh sources it.

# in_packages CMD…: run CMD in the tree for packages, in the checkout.
in_packages() {
	(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$NLB_ROOT" "$@")
}

# staged ARG…: "make install" below a directory of the logs.
staged() {
	in_packages make install DESTDIR="$stage" NLBADM="$tool" "$@"
}

# has FILE…: each is below the directory, and is not empty; patterns may be given.
has() {
	local file found
	for file in "$@"; do
		found=$(compgen -G "$stage/$file" | head -n 1)
		if [ ! -s "$found" ]; then
			echo "$file is missing"
			return 1
		fi
	done
}

# has_no FILE…: none is there.
has_no() {
	local file
	for file in "$@"; do
		if compgen -G "$stage/$file"; then
			return 1
		fi
	done
}

# lists FILE…: each is in some of the RPM packages.
lists() {
	local file list
	list=$(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$NLB_ROOT/build/rpm" \
		sh -c 'rpm -qlp nlbadm-[0-9]*.rpm nlb-dkms-[0-9]*.rpm nlb-doc-[0-9]*.rpm')
	for file in "$@"; do
		if ! grep -qxF "$file" <<<"$list"; then
			echo "$file is in none of them"
			return 1
		fi
	done
}

test_make_install() {
	local stage=$logs/stage tool=$logs/tool/usr/sbin/nlbadm older
	dpkg-deb -x "$(find "$debs" -name 'nlbadm_*_amd64.deb')" "$logs/tool"
	mkdir "$stage"
	attempt make-install "make install prefix=/usr below DESTDIR" staged prefix=/usr
	attempt make-installed "the tool, units, pages, completions, schema, dissector, sources of the module" has \
		usr/sbin/nlbadm usr/lib/systemd/system/nlb@.service usr/share/man/man8/nlbadm-up.8 etc/nlb \
		usr/share/bash-completion/completions/nlbadm usr/share/nlb/nlb.schema.json \
		usr/lib/wireshark/plugins/nlb.lua usr/share/doc/nlb/examples/web.toml \
		usr/src/nlb-*/{Kbuild,dkms.conf,dkms/prepare.sh,module/core/src/lib.rs}
	# What DKMS gets by either way is the same.
	dpkg-deb -x "$(find "$debs" -name 'nlb-dkms_*_all.deb')" "$logs/dkms"
	attempt make-sources "the sources are those of the package nlb-dkms" \
		diff -r "$logs"/dkms/usr/src/nlb-* "$stage"/usr/src/nlb-*
	# A file of an earlier release goes with the next one.
	older=usr/share/man/man8/nlbadm-older.8
	touch "$stage/$older"
	echo "/$older" >>"$stage/usr/share/nlb/installed"
	attempt make-again "make install once more" staged prefix=/usr MODULE=none
	attempt make-upgraded "what the later one has not has gone" has_no "$older" 'usr/src/nlb-*/Kbuild'
	attempt make-uninstall "make uninstall" in_packages make uninstall DESTDIR="$stage" prefix=/usr
	attempt make-left "nothing is left" has_no '*'
	attempt make-prefix "make install prefix=/opt/nlb" staged prefix=/opt/nlb MODULE=none
	attempt make-units "units name the tool where systemd would not find it" \
		grep "^ExecStart=/opt/nlb/sbin/nlbadm " "$stage/opt/nlb/lib/systemd/system/nlb-serve@.service"
	if in_packages make uninstall DESTDIR="$stage" >"$logs/make-other.log" 2>&1; then
		verdict make-other 1 "another prefix is uninstalled"
	else
		says make-other make-other 'nothing was installed with prefix=/usr/local'
	fi
}

test_rpm() {
	local sources
	sources=/usr/src/nlb-$(sed -nE 's/^Version: +//p' "$NLB_ROOT/dist/nlb.spec")
	attempt rpm "RPM packages by dist/nlb.spec" "$NLB_ROOT/scripts/build-rpm.sh"
	attempt rpm-content "the tool and its units, the module's sources with DKMS's scripts, the pages" lists \
		/usr/sbin/nlbadm /usr/lib/systemd/system/nlb@.service /etc/nlb /usr/share/nlb/nlb.schema.json \
		"$sources/dkms.conf" "$sources/dkms/prepare.sh" /usr/share/doc/nlb/docs/installing.md
	attempt rpmlint "of dist/nlb.spec" in_packages rpmlint dist/nlb.spec
}
