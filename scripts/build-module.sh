#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build nlb.ko into build/module/RELEASE/, or the module whose Kbuild is in DIR
# into the folder of its name below that: build-module.sh [DIR]
#   NLB_KERNEL=…   a stock Debian kernel or its debug kernel
#                  (kernel-release.sh); set up if need be. Unset, it is the
#                  kernel that this machine runs if that is a stock one of
#                  backports, else the newest stock cloud kernel
#   KDIR=…         any kernel tree that has its Rust metadata
#
# Stock kernels, and trees made in the cache, are built with the Debian 13
# tree's tool chain, which is the one they were made with; other trees with
# the host's. Modules of the same sources are built once for all checkouts that
# share a cache. Prints the path of nlb.ko.

. "$(dirname "$0")/lib.sh"

# lacks TEXT: refuse KDIR in one sentence.
lacks() {
	die "cannot build for KDIR=$KDIR: $*"
}

# check_kdir: a kernel tree says with many odd errors that it is not ready for
# a Rust module; find the first cause ourselves. Sets "release".
check_kdir() {
	[ -f "$KDIR/Makefile" ] ||
		lacks "no kernel headers are there; name a kernel's build directory" \
			"(/lib/modules/RELEASE/build once its headers are installed)."
	[ -f "$KDIR/include/config/auto.conf" ] && [ -f "$KDIR/include/config/kernel.release" ] ||
		lacks "it is not prepared; run \"make modules_prepare\" in it."
	grep -q '^CONFIG_RUST=y' "$KDIR/include/config/auto.conf" ||
		lacks "that kernel is built without Rust (CONFIG_RUST is off); it needs one with CONFIG_RUST=y."
	[ -f "$KDIR/rust/libkernel.rmeta" ] ||
		lacks "rust/libkernel.rmeta is missing there, since its package leaves the Rust" \
			"metadata out; use NLB_KERNEL to make it again, or a tree where" \
			"\"make modules_prepare\" has run."
	[ -f "$KDIR/Module.symvers" ] ||
		lacks "Module.symvers is missing there; build that kernel, or copy the file from its headers package."
	release=$(<"$KDIR/include/config/kernel.release")
}

# check_host_compilers: Rust metadata fits one compiler version only.
check_host_compilers() {
	local wanted have
	wanted=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' \
		"$KDIR/include/config/auto.conf")
	have=$("${RUSTC:-rustc}" --version 2>/dev/null) ||
		lacks "rustc is missing on this host; it must be \"$wanted\" (set RUSTC)."
	[ "$have" = "$wanted" ] ||
		lacks "it was made with \"$wanted\" and this host's rustc is \"$have\"; set RUSTC to the same one."
	command -v "${BINDGEN:-bindgen}" >/dev/null ||
		lacks "bindgen is missing on this host; install it (0.71 or newer) or set BINDGEN."
}

# host_make: the host's tools, and clang where the kernel was built by it.
host_make() {
	local args=()
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$KDIR/include/config/auto.conf"; then
		args+=(LLVM=1)
	fi
	[ -z "${RUSTC:-}" ] || args+=("RUSTC=$RUSTC")
	[ -z "${BINDGEN:-}" ] || args+=("BINDGEN=$BINDGEN")
	make "${args[@]}" "$@"
}

# tree_make: the Debian 13 tree's tools, the compiler under the name that the
# kernel's own build used.
tree_make() {
	local cc=x86_64-linux-gnu-gcc-14
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$KDIR/include/config/auto.conf"; then
		cc=clang
	fi
	clean_run make CC="$cc" "$@"
}

# choose_kernel: sets NLB_KERNEL where the caller has not: a host builds for itself.
choose_kernel() {
	local running
	[ -z "${NLB_KERNEL:-}" ] || return 0
	running=$(uname -r)
	if [[ $running =~ ^[0-9.]+\+deb13(-cloud|-rt)?-amd64$ ]] && [[ ! $running =~ ^6\. ]]; then
		say "module: for $running, the kernel of this machine (NLB_KERNEL=… names another)"
		export NLB_KERNEL=$running
	fi
}

# build OUT: kbuild's own lines are the progress; standard output is for the answer.
build() {
	"$maker" --no-print-directory -j"$(nproc)" -C "$KDIR" M="$source" MO="$out" modules >&2
	"$NLB_ROOT/scripts/check-symbols.sh" "$out/$name.ko" "$KDIR/Module.symvers" "$release" >&2
}

# keep DEST: build, and keep what others can use: the module, and the object
# that the static checks look into.
keep() {
	build
	mkdir "$1"
	cp "$out/$name.ko" "$1/"
	if [ -f "$out/module/nlb_main.o" ]; then
		cp "$out/module/nlb_main.o" "$1/"
	fi
}

# take KEPT: the results of a build of the same sources.
take() {
	cmp -s "$1/$name.ko" "$out/$name.ko" || cp "$1/$name.ko" "$out/"
	if [ -f "$1/nlb_main.o" ] && ! cmp -s "$1/nlb_main.o" "$out/module/nlb_main.o"; then
		mkdir -p "$out/module"
		cp "$1/nlb_main.o" "$out/module/"
	fi
}

maker=host_make
if [ -n "${KDIR:-}" ]; then
	KDIR=$(realpath -m -- "$KDIR")
	check_kdir
	case $KDIR in
	"$NLB_CACHE"/kernels/*)
		maker=tree_make
		enter_tree "$@"
		;;
	*) check_host_compilers ;;
	esac
else
	choose_kernel
	enter_tree "$@"
	maker=tree_make
	release=$("$NLB_ROOT/scripts/setup-kernel.sh")
	KDIR=$NLB_CACHE/kernels/$release/build
fi

source=$NLB_ROOT
inputs=(Kbuild module)
name=nlb
out=$NLB_ROOT/build/module/$release
if [ -n "${1:-}" ]; then
	source=$(realpath -- "$1")
	inputs=("${source#"$NLB_ROOT"/}")
	name=$(sed -n 's/^obj-m := \(.*\)\.o$/\1/p' "$source/Kbuild")
	out=$out/$name
fi
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9

if [ "$maker" = host_make ]; then
	say "module: building $name for $release"
	build
else
	hash=$(sources_hash "${inputs[@]}")
	kept=$NLB_CACHE/built/$name-$release-$hash
	step "$kept" "1 $(<"$KDIR.done")" "module $name for $release" keep
	touch "$kept.done"
	take "$kept"
	prune "$NLB_CACHE/built" "$KEEP_BUILDS"
fi
printf '%s\n' "$out/$name.ko"
