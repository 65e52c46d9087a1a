# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with the caller, as the head of this file says
#
# The Rust metadata of a kernel that Debian built. Its header packages lack it
# (rust/*.rmeta); it is made again from the same sources, configuration and
# compilers. Used in the checkout (setup-kernel.sh) and by DKMS on hosts
# (dist/dkms/prepare.sh). The caller has
#   release   the kernel's
#   headers   a directory with Debian's .config and Module.symvers of it
#   source    the directory of its sources
#   say, die  a line of progress; a line that says what is wrong, and the end
#   kernel_make BUILD ARG…   make in that build directory, with kernel_compiler
#                            and metadata_make

# Programs that run once in this build, macros among them, are not worth the
# time that optimization takes.
metadata_make=(HOSTRUSTFLAGS=-Copt-level=0)

# kernel_compiler: the name of the C compiler that built the kernel.
kernel_compiler() {
	sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' "$headers/.config"
}

# source_version DIR: 7.3.4, as the sources' Makefile says.
source_version() {
	sed -nE '1,6{s/^(VERSION|PATCHLEVEL|SUBLEVEL) = //p}' "$1/Makefile" | paste -sd.
}

# configure_kernel BUILD: Debian's configuration, with the release's suffix where
# Debian's packaging passes it otherwise, and without Debian's signing keys.
configure_kernel() {
	local build=$1 config=$source/scripts/config suffix
	suffix=${release#"$(source_version "$source")"}
	cp "$headers/.config" "$build/.config"
	"$config" --file "$build/.config" \
		--set-str LOCALVERSION "$suffix" --disable LOCALVERSION_AUTO \
		--set-str BUILD_SALT "$release" \
		--set-str MODULE_SIG_KEY '' --set-str SYSTEM_TRUSTED_KEYS ''
	cp "$build/.config" "$build/.config.wanted"
	kernel_make "$build" olddefconfig
	check_config "$build"
}

# check_config BUILD: kconfig drops options silently when a tool is missing
# or differs; a tree with another configuration would make modules that load
# and then crash, so any difference is an error.
check_config() {
	local build=$1 changed
	changed=$(diff <(grep -E '^(CONFIG|# CONFIG)' "$build/.config.wanted" | sort) \
		<(grep -E '^(CONFIG|# CONFIG)' "$build/.config" | sort) |
		grep '^[<>]' || :)
	[ -z "$changed" ] ||
		die "this tool chain changes the configuration of $release:"$'\n'"$changed"
}

# check_metadata BUILD: each Rust symbol that Debian's kernel exports must
# come out of our build under the same mangled name, which hashes the compiler
# and the sources.
check_metadata() {
	local build=$1 theirs ours both
	theirs=$(awk '$3 == "vmlinux" && $2 ~ /^_R/ { print $2 }' "$headers/Module.symvers" | sort -u)
	ours=$(nm --defined-only "$build"/rust/*.o 2>/dev/null |
		awk '$3 ~ /^_R/ { print $3 }' | sort -u)
	both=$(comm -12 <(printf '%s\n' "$theirs") <(printf '%s\n' "$ours") | wc -l)
	say "Rust symbols of $release: $both of $(wc -l <<<"$theirs") made again"
	[ "$both" = "$(wc -l <<<"$theirs")" ] ||
		die "the Rust metadata made for $release does not fit the kernel that Debian built"
}

# make_metadata BUILD: fill an empty directory with what modules are built against.
make_metadata() {
	local build=$1
	configure_kernel "$build"
	kernel_make "$build" modules_prepare
	check_metadata "$build"
	cp "$headers/Module.symvers" "$build/"
}
