#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make RPM packages of this checkout in build/rpm/, by dist/nlb.spec: the source
# package, nlbadm, nlb-dkms and nlb-doc. They are made in the tree for Debian
# packages, which lacks what the spec file asks for by Fedora's names: so
# dependencies are not checked, and the packages fit distributions whose C library
# is not older than Debian 13's. Prints the directory.
#   NLB_PROFILE=guest   for tests: nlbadm is built quickly

. "$(dirname "$0")/lib.sh"

out=$NLB_ROOT/build/rpm
version=$(sed -nE 's/^Version: +//p' "$NLB_ROOT/dist/nlb.spec")

# make_archive FILE: the files that git knows, below nlb-VERSION/.
make_archive() {
	git -c safe.directory='*' -C "$NLB_ROOT" ls-files -z --cached --others --exclude-standard |
		(cd "$NLB_ROOT" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) |
		tar -C "$NLB_ROOT" --null --files-from=- --transform "s|^|nlb-$version/|" --owner=0 --group=0 -czf "$1"
}

# build_packages: what rpmbuild makes of it.
build_packages() {
	(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$out" rpmbuild -ba --nodeps \
		--define "_topdir $out/work" --define "_sourcedir $out" --define "_srcrpmdir $out" --define "_rpmdir $out/made" \
		--define "cargo_profile ${NLB_PROFILE:-release}" --define "cargo_target $NLB_ROOT/build/deb-target" \
		"$NLB_ROOT/dist/nlb.spec")
}

need_root "make rpm"
"$NLB_ROOT/scripts/setup-packaging.sh"
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
find "$out" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf -- {} +
make_archive "$out/nlb-$version.tar.gz"
say "RPM packages (two minutes)"
logged "$out/log/rpmbuild.log" build_packages
find "$out/made" -name '*.rpm' -exec mv -t "$out" {} +
rm -rf -- "$out/work" "$out/made"
printf '%s\n' "$out"
