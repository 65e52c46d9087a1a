#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make a signed apt repository of the Debian packages (build-deb.sh) in
# build/apt-repo/, a folder that can be copied to where apt finds it. Its key is
# there as nlb.asc, for "deb [signed-by=…/nlb.asc] file:/… ./".
#   NLB_SIGN_KEY=FILE   a secret key, as "gpg --export-secret-keys --armor" writes
#                       it, without a passphrase. Unset, one is made for this
#                       checkout, build/apt-repo-key.asc
# Prints the directory.

. "$(dirname "$0")/lib.sh"

own_key=$NLB_ROOT/build/apt-repo-key.asc

# quiet_gpg ARG…: gpg with the key ring of this run alone.
quiet_gpg() {
	gpg --batch --quiet --no-tty "$@"
}

# import_key NAME: from standard input.
import_key() {
	quiet_gpg --import && [ -n "$(quiet_gpg --list-secret-keys --with-colons)" ] ||
		die "$1 has no secret key that gpg can read: see NLB_SIGN_KEY in scripts/build-apt-repo.sh"
}

# make_key: one for this checkout.
make_key() {
	say "apt-repo: a key for this checkout: ${own_key#"$NLB_ROOT"/}"
	quiet_gpg --passphrase '' --quick-generate-key 'nlb packages of this checkout' ed25519 sign never
	(umask 077 && quiet_gpg --armor --export-secret-keys >"$own_key")
}

# make_repository DIR KEY: in the tree for packages, with the packages in DIR; KEY is
# empty, or the name of the secret key on standard input.
make_repository() {
	local dir=$1
	GNUPGHOME=$(mktemp -d)
	export GNUPGHOME
	if [ -n "$2" ]; then
		import_key "$2"
	elif [ -s "$own_key" ]; then
		import_key "$own_key" <"$own_key"
	else
		make_key
	fi
	cd "$dir"
	quiet_gpg --armor --export >nlb.asc
	apt-ftparchive packages . >Packages
	gzip -9 -n -k Packages
	apt-ftparchive -o APT::FTPArchive::Release::Origin=nlb -o APT::FTPArchive::Release::Label=nlb \
		-o APT::FTPArchive::Release::Suite="$NLB_SUITE" release . >Release.new
	mv Release.new Release
	quiet_gpg --clearsign --output InRelease Release
	quiet_gpg --armor --detach-sign --output Release.gpg Release
	gpgconf --kill all
}

if [ "${1:-}" = --in-tree ]; then
	make_repository "$2" "$3"
	exit
fi

need_root "make apt-repo"
key=${NLB_SIGN_KEY:-}
if [ -n "$key" ]; then
	[ -s "$key" ] || die "NLB_SIGN_KEY=$key: there is no such file"
fi
debs=$("$NLB_ROOT/scripts/build-deb.sh")
repository=$NLB_ROOT/build/apt-repo${NLB_PROFILE:+-$NLB_PROFILE}
rm -rf -- "$repository.tmp"
mkdir -p "$repository.tmp"
cp -- "$debs"/*.deb "$repository.tmp/"
(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$NLB_ROOT" scripts/build-apt-repo.sh --in-tree "$repository.tmp" "$key") <"${key:-/dev/null}"
rm -rf -- "$repository"
mv -T -- "$repository.tmp" "$repository"
printf '%s\n' "$repository"
