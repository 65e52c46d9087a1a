#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build-deb.sh [KERNEL…]: make the Debian packages of this checkout in build/deb/:
# nlbadm, nlb-dkms and nlb-doc with their source package, and nlb-modules-RELEASE
# with nlb.ko for a stock kernel (NLB_KERNEL, as for "make module"), and for each
# KERNEL, which is named as there. Those of the same sources are made once for
# all checkouts that share a cache. Prints the directory.
#   NLB_PROFILE=guest   for tests: nlbadm is built quickly, and the packages are
#                       in build/deb-guest/

. "$(dirname "$0")/lib.sh"

out=$NLB_ROOT/build/deb${NLB_PROFILE:+-$NLB_PROFILE}

# export_sources DEST: the files that git knows, those about to be committed included.
export_sources() {
	mkdir -p "$1"
	git -c safe.directory='*' -C "$NLB_ROOT" ls-files -z --cached --others --exclude-standard |
		(cd "$NLB_ROOT" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) |
		tar -C "$NLB_ROOT" --null --files-from=- -c | tar -C "$1" -x
}

# in_packaging DIR CMD…: run CMD in the tree for packages.
in_packaging() {
	(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$@")
}

# build_package DIR: make the packages of a directory with debian/; they come to be beside it.
build_package() {
	logged "$out/log/$(basename "$1").log" in_packaging "$1" dpkg-buildpackage "${@:2}"
}

# make_debs DEST: cargo keeps what it built, so that the next time is quick.
make_debs() {
	rm -rf -- "$work"
	export_sources "$work/nlb"
	CARGO_TARGET_DIR=$NLB_ROOT/build/deb-target build_package "$work/nlb" -us -uc
	mkdir "$1"
	find "$work" -maxdepth 1 -type f -exec mv -t "$1" {} +
	rm -rf -- "$work"
}

# nlb_version: the version of the packages.
nlb_version() {
	sed -nE '1s/^nlb \(([^)]+)\).*/\1/p' "$NLB_ROOT/debian/changelog"
}

# make_modules DEST: what nlb-modules-RELEASE and its metapackage are made of is in
# dist/modules-package; the module is there.
make_modules() {
	local dir=$work/nlb-modules file
	rm -rf -- "$work"
	mkdir -p "$work"
	cp -r "$NLB_ROOT/dist/modules-package" "$dir"
	sed -i -e "s/@RELEASE@/$release/g" -e "s/@FLAVOUR@/$flavour/g" -e "s/@ARCHITECTURE@/${release##*-}/g" \
		-e "s/@VERSION@/$(nlb_version)+${release%%+*}/g" -e "s/@NLB_VERSION@/$(nlb_version)/g" \
		-e "s/@DATE@/$(sed -nE '/^ -- /{s/.*>  //p;q}' "$NLB_ROOT/debian/changelog")/" "$dir"/*
	for file in postinst postrm prerm; do
		mv "$dir/$file" "$dir/nlb-modules-$release.$file"
	done
	mkdir "$work/package"
	mv "$dir" "$work/package/debian"
	cp "$NLB_ROOT/debian/copyright" "$work/package/debian/"
	cp "$module" "$work/package/"
	build_package "$work/package" -us -uc -b
	mkdir "$1"
	find "$work" -maxdepth 1 -type f -exec mv -t "$1" {} +
	rm -rf -- "$work"
}

# take KEPT: its packages take the place of older ones.
take() {
	local name
	for name in "$1"/*; do
		ln -f "$name" "$out/" 2>/dev/null || cp "$name" "$out/"
	done
}

# modules_for KERNEL: the packages of its module, added to "all".
modules_for() {
	local hash kept_modules
	module=$(NLB_KERNEL=$1 "$NLB_ROOT/scripts/build-module.sh")
	release=$(basename "$(dirname "$module")")
	case $release in
	*-debug) die "packages are made for stock kernels, and $release is none: unset NLB_KERNEL" ;;
	esac
	# 7.3.4+deb13-cloud-amd64 is of the flavour cloud-amd64, 7.3.4+deb13-amd64 of amd64.
	flavour=${release#*-}
	hash=$(cd "$NLB_ROOT" && { sources_hash dist/modules-package debian/changelog debian/copyright && sha256sum <"$module"; } |
		sha256sum | cut -c1-16)
	kept_modules=$NLB_CACHE/built/deb-modules-$release-$hash
	step "$kept_modules" "1 $NLB_PACKAGING_RECIPE" "package nlb-modules-$release" make_modules
	touch "$kept_modules.done"
	all+=("$kept_modules")
}

need_root "make deb"
"$NLB_ROOT/scripts/setup-packaging.sh"
work=$out/work
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9

hash=$(cd "$NLB_ROOT" && sources_hash Kbuild LICENSE README.md Makefile debian dist docs module userspace scripts)
kept=$NLB_CACHE/built/deb${NLB_PROFILE:+-$NLB_PROFILE}-$hash
step "$kept" "1 $NLB_PACKAGING_RECIPE" "packages nlbadm, nlbd, nlb-dkms, nlb-doc (three minutes)" make_debs
touch "$kept.done"

all=("$kept")
for kernel in "${NLB_KERNEL:-}" "$@"; do
	modules_for "$kernel"
done

find "$out" -maxdepth 1 -type f ! -name .lock -delete
for kept in "${all[@]}"; do
	take "$kept"
done
prune "$NLB_CACHE/built" "$KEEP_BUILDS"
printf '%s\n' "$out"
