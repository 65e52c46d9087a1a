#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# install.sh install|uninstall: what "make install" and "make uninstall" do.
# Runs on any distribution; nothing is fetched, and only a module is built.
#   prefix=/usr/local   where the tool goes; libdir, sbindir, datadir, mandir,
#                       docdir, unitdir and wiresharkdir follow it
#   DESTDIR=DIR         below which all of it is put, for packages
#   NLBADM=FILE         the tool that was built
#   NLBD=FILE           the optional daemon, beside the tool unless told otherwise;
#                       where it was not built, or NLBD=none, it is left out, with
#                       its unit
#   MODULE=dkms         the module's sources, for DKMS; MODULE=built, nlb.ko for
#                       NLB_KERNEL or KDIR; MODULE=none
# What was installed is noted in datadir/nlb/installed; uninstall removes that.

. "$(dirname "$0")/lib.sh"
cd "$NLB_ROOT"

prefix=${prefix:-/usr/local}
libdir=${libdir:-$prefix/lib}
sbindir=${sbindir:-$prefix/sbin}
datadir=${datadir:-$prefix/share}
mandir=${mandir:-$datadir/man}
docdir=${docdir:-$datadir/doc/nlb}
# systemd looks below /usr and /usr/local.
unitdir=${unitdir:-$prefix/lib/systemd/system}
wiresharkdir=${wiresharkdir:-$libdir/wireshark/plugins}
DESTDIR=${DESTDIR:-}
NLBADM=${NLBADM:-userspace/target/release/nlbadm}
NLBD=${NLBD:-$(dirname "$NLBADM")/nlbd}
MODULE=${MODULE:-dkms}

version=$(sed -nE 's/^version = "(.*)"$/\1/p' userspace/Cargo.toml)
sources=/usr/src/nlb-$version
manifest=$datadir/nlb/installed

# What was put where, without DESTDIR; directories that were made end with a slash.
noted=$(mktemp)
trap 'rm -f -- "$noted"' EXIT

# make_directory DIR: and those above it; what was not there is noted.
make_directory() {
	[ -n "$1" ] && [ ! -d "$DESTDIR$1" ] || return 0
	make_directory "${1%/*}"
	install -d -m 755 -- "$DESTDIR$1"
	printf '%s/\n' "$1" >>"$noted"
}

# put MODE FILE TO: one file.
put() {
	make_directory "${3%/*}"
	install -m "$1" -- "$2" "$DESTDIR$3"
	printf '%s\n' "$3" >>"$noted"
}

# put_text TO: a file whose text is read.
put_text() {
	make_directory "${1%/*}"
	cat >"$DESTDIR$1"
	chmod 644 -- "$DESTDIR$1"
	printf '%s\n' "$1" >>"$noted"
}

install_tool() {
	local pages page
	put 755 "$NLBADM" "$sbindir/nlbadm"
	pages=$(mktemp -d)
	"$NLBADM" man --directory "$pages"
	for page in "$pages"/*.8; do
		put 644 "$page" "$mandir/man8/${page##*/}"
	done
	rm -r -- "$pages"
	"$NLBADM" completions bash | put_text "$datadir/bash-completion/completions/nlbadm"
	"$NLBADM" completions zsh | put_text "$datadir/zsh/site-functions/_nlbadm"
	"$NLBADM" completions fish | put_text "$datadir/fish/vendor_completions.d/nlbadm.fish"
	make_directory /etc/nlb
}

# install_daemon: if it was built.
install_daemon() {
	[ -x "$NLBD" ] || return 0
	put 755 "$NLBD" "$sbindir/nlbd"
	"$NLBD" --manual | put_text "$mandir/man8/nlbd.8"
}

install_data() {
	local file
	put 644 dist/nlb.schema.json "$datadir/nlb/nlb.schema.json"
	put 644 module/specs/nlb.yaml "$datadir/nlb/nlb.yaml"
	put 644 dist/wireshark/nlb.lua "$wiresharkdir/nlb.lua"
	for file in dist/examples/*; do
		put 644 "$file" "$docdir/examples/${file##*/}"
	done
	while IFS= read -r file; do
		put 644 "$file" "$docdir/examples/${file#dist/}"
	done < <(find dist/ansible -type f | LC_ALL=C sort)
	put 644 LICENSE "$docdir/LICENSE"
	put 644 README.md "$docdir/README.md"
	for file in docs/*.md docs/recipes/*; do
		put 644 "$file" "$docdir/$file"
	done
}

# Units name the tool without its place, which systemd knows for these two prefixes.
install_units() {
	local unit place=
	case $sbindir in
	/usr/sbin | /usr/local/sbin | /usr/bin | /usr/local/bin) ;;
	*) place=$sbindir/ ;;
	esac
	for unit in dist/systemd/*.service; do
		[ "${unit##*/}" != nlbd.service ] || [ -x "$NLBD" ] || continue
		sed -E "s,^(Exec[A-Za-z]+=-?)(nlbadm |nlbd$),\\1${place}\\2," "$unit" | put_text "$unitdir/${unit##*/}"
	done
}

# The sources of the module, as DKMS wants them.
install_sources() {
	local file
	while IFS= read -r file; do
		put 644 "$file" "$sources/$file"
	done < <(find Kbuild module -type f ! -name 'Cargo.*' ! -path 'module/specs/*' ! -path 'module/core/benches/*' \
		! -path 'module/core/tests/*' ! -path '*/target/*' | LC_ALL=C sort)
	put 755 dist/dkms/make.sh "$sources/dkms/make.sh"
	put 755 dist/dkms/prepare.sh "$sources/dkms/prepare.sh"
	put 644 scripts/lib-metadata.sh "$sources/dkms/lib-metadata.sh"
	sed "s/#MODULE_VERSION#/$version/" dist/dkms/dkms.conf | put_text "$sources/dkms.conf"
}

install_module() {
	local built release
	built=$(scripts/build-module.sh)
	release=$(basename "$(dirname "$built")")
	put 644 "$built" "/lib/modules/$release/updates/nlb.ko"
	if [ -z "$DESTDIR" ]; then
		depmod -a "$release"
	fi
}

# forget_older: files of an earlier installation that this one has not.
forget_older() {
	local path
	[ -f "$DESTDIR$manifest" ] || return 0
	grep -vxFf "$noted" "$DESTDIR$manifest" | while IFS= read -r path; do
		case $path in
		*/) printf '%s\n' "$path" >>"$noted" ;;
		*) rm -f -- "$DESTDIR$path" ;;
		esac
	done
}

do_install() {
	[ -x "$NLBADM" ] || die "$NLBADM is not there: run \"make nlbadm\" (Debian), or" \
		"\"cargo build --release --locked --manifest-path userspace/Cargo.toml -p nlbadm\"; or name it with NLBADM="
	case $MODULE in
	dkms | built | none) ;;
	*) die "MODULE=$MODULE is none of dkms, built, none" ;;
	esac
	install_tool
	install_daemon
	install_units
	install_data
	case $MODULE in
	dkms) install_sources ;;
	built) install_module ;;
	esac
	make_directory "$datadir/nlb"
	forget_older
	printf '%s\n' "$manifest" >>"$noted"
	LC_ALL=C sort -u "$noted" >"$DESTDIR$manifest"
	[ -n "$DESTDIR" ] || tell_next
}

# tell_next: what is left to do on this machine.
tell_next() {
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || :
	fi
	say "installed below $prefix"
	if [ "$MODULE" = dkms ]; then
		say "the module: dkms install nlb/$version"
	fi
	say "the cluster: docs/configuration.md; \"make uninstall\" removes what is noted in $manifest"
}

do_uninstall() {
	local path built
	[ -f "$DESTDIR$manifest" ] || die "$DESTDIR$manifest is not there: nothing was installed with prefix=$prefix" \
		"and datadir=$datadir, or somebody has removed it"
	if [ -z "$DESTDIR" ] && command -v dkms >/dev/null && grep -qxF "$sources/dkms.conf" "$manifest"; then
		[ -z "$(dkms status "nlb/$version" 2>/dev/null)" ] || dkms remove "nlb/$version" --all
	fi
	built=$(sed -nE 's|^/lib/modules/([^/]+)/updates/nlb\.ko$|\1|p' "$DESTDIR$manifest")
	cp -- "$DESTDIR$manifest" "$noted"
	# What is deeper comes first, so that directories are empty when it is their turn.
	LC_ALL=C sort -r "$noted" | while IFS= read -r path; do
		case $path in
		*/) rmdir --ignore-fail-on-non-empty -- "$DESTDIR${path%/}" 2>/dev/null || : ;;
		*) rm -f -- "$DESTDIR$path" ;;
		esac
	done
	if [ -z "$DESTDIR" ]; then
		[ -z "$built" ] || depmod -a "$built"
		[ ! -d /run/systemd/system ] || systemctl daemon-reload || :
		[ ! -d /etc/nlb ] || say "/etc/nlb stays: it has files of yours"
	fi
}

case ${1:-} in
install) do_install ;;
uninstall) do_uninstall ;;
*) die "install.sh install, or install.sh uninstall" ;;
esac
