# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A private apt, so that Debian 13's packages can be found and fetched,
# checked against Debian's signatures, on a host of any Debian release and
# without touching its package lists. Source after lib.sh. All of this runs on
# the host and in the Debian 13 tree alike.

NLB_APT=$NLB_CACHE/apt

# The packages of these suites are looked at, newest version first.
# shellcheck disable=SC2153 # lib.sh sets it
NLB_SUITES="$NLB_SUITE $NLB_SUITE-updates $NLB_SUITE-backports"

# Of the host's apt settings, what holds in the Debian 13 tree too: the URL of
# Debian's archive, and proxies as apt.conf lines. setup-host.sh keeps them.
NLB_HOST_MIRROR=$NLB_APT/host-mirror
NLB_HOST_PROXIES=$NLB_APT/host-proxies

# debian_mirror: the archive to use: NLB_DEBIAN_MIRROR, else the host's.
debian_mirror() {
	if [ -n "${NLB_DEBIAN_MIRROR:-}" ]; then
		printf '%s\n' "${NLB_DEBIAN_MIRROR%/}"
	elif [ -s "$NLB_HOST_MIRROR" ]; then
		cat "$NLB_HOST_MIRROR"
	else
		die "no Debian archive in this host's apt configuration:" \
			"set NLB_DEBIAN_MIRROR to the URL of one (…/debian)"
	fi
}

# debian_keyring: the file with the keys that sign Debian's archive.
debian_keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		if [ -f "$file" ]; then
			printf '%s\n' "$file"
			return
		fi
	done
	die "Debian's archive keys are missing: install debian-archive-keyring"
}

# debian_sources MIRROR: the suites as one-line apt sources.
debian_sources() {
	local suite keyring
	keyring=$(debian_keyring)
	for suite in $NLB_SUITES; do
		printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$1" "$suite"
	done
}

# apt_trouble LOG: why apt failed, in one line: its own first error, which names
# the package or the archive.
apt_trouble() {
	sed -nE 's/^(E|W|Err:[0-9]+): ?//p; s/^(Err:[0-9]+ .*)/\1/p' "$1" | grep -m 1 . || echo "see $1"
}

# private_apt TOOL ARG…: run apt-get or apt-cache on the private lists.
private_apt() {
	local tool=$1
	shift
	"$tool" -q -c "$NLB_APT/apt.conf" "$@"
}

# private_apt_conf: apt's settings for the private lists. The host's own are
# read before and hold where these are silent: proxies, authentication.
private_apt_conf() {
	cat <<-END
		Dir::Etc::SourceList "$NLB_APT/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::State "$NLB_APT/state";
		Dir::State::status "$NLB_APT/state/status";
		Dir::Cache "$NLB_APT/cache";
		#clear APT::Architectures;
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
}

# private_apt_update: fetch the package lists. Fails when the archive cannot
# be reached or a signature does not hold. Callers hold the lock "apt.lock".
private_apt_update() {
	local mirror
	mirror=$(debian_mirror)
	mkdir -p "$NLB_APT/state/lists/partial" "$NLB_APT/cache/archives/partial"
	touch "$NLB_APT/state/status"
	debian_sources "$mirror" >"$NLB_APT/sources.list"
	{ private_apt_conf && cat "$NLB_HOST_PROXIES"; } >"$NLB_APT/apt.conf"
	logged "$NLB_CACHE/log/apt-update.log" private_apt apt-get \
		-o APT::Update::Error-Mode=any update
}

# debian_tree LOG DEST PACKAGE…: a root tree of Debian 13 with the packages, as
# small as Debian allows. A package may be written NAME/SUITE, to take it and
# what it needs from there. LOG is a name, for messages.
debian_tree() {
	local log=$1 dest=$2 mirror line aptopts=()
	shift 2
	mirror=$(debian_mirror)
	while IFS= read -r line; do
		aptopts+=("--aptopt=$line")
	done <"$NLB_HOST_PROXIES"
	# The mode is named: "auto" would try user namespaces, which containers
	# often lack, and root needs none. Its mounts are made in a namespace of
	# their own: they must end with it, however it ends, since what it left
	# is then deleted. Of paths that are left out and named again the last
	# pattern counts, and "*" stands for slashes too.
	logged "$NLB_CACHE/log/$log.log" \
		unshare --mount --propagation private -- \
		mmdebstrap --mode=root --variant=minbase --architectures=amd64 \
		--include="$(IFS=, && printf '%s' "$*")" \
		--aptopt='Acquire::Retries "3"' \
		--aptopt='APT::Install-Recommends "false"' \
		"${aptopts[@]}" \
		--dpkgopt='force-unsafe-io' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/src/rustc-*/src/*' \
		--dpkgopt='path-exclude=/usr/src/rustc-*/compiler/*' \
		--dpkgopt='path-include=/usr/src/rustc-*/library/*' \
		--dpkgopt='path-exclude=/usr/lib/llvm-*/lib/*.a' \
		"$NLB_SUITE" "$dest" - < <(debian_sources "$mirror") ||
		die "a Debian 13 with the packages for $log cannot be made:" \
			"$(apt_trouble "$NLB_CACHE/log/$log.log")"
}

# package_version NAME [VERSION]: the newest version of a package in the
# private lists, or VERSION if that one is among them; nothing if none is.
package_version() {
	private_apt apt-cache madison "$1" 2>/dev/null |
		awk -F' *[|] *' -v want="${2:-}" \
			'(want == "" || $2 == want) && !found { print $2; found = 1 }'
}

# kernel_series RELEASE: 7.2.12+deb13-cloud-amd64 → 7.2
kernel_series() {
	printf '%s\n' "$1" | sed -E 's/^([0-9]+\.[0-9]+).*/\1/'
}

# fetch_packages DIR VERSION NAME…: download packages of one version to DIR.
fetch_packages() {
	local dir=$1 version=$2 name
	shift 2
	mkdir -p "$dir"
	for name in "$@"; do
		(cd "$dir" && logged "$NLB_CACHE/log/fetch-$name.log" \
			private_apt apt-get download "$name=$version") ||
			die "the package $name cannot be fetched: $(apt_trouble "$NLB_CACHE/log/fetch-$name.log")"
	done
}

# image_packages RELEASE VERSION: the names of the packages that carry a kernel and
# its modules, in one line.
image_packages() {
	local name names=()
	for name in linux-{base,modules,binary,image,binary-unsigned,image-unsigned}-"$1"; do
		if [ -n "$(package_version "$name" "$2")" ]; then
			# The signed and the unsigned image differ in nothing else.
			case $name:${names[*]} in *-unsigned-*:*linux-binary-* | *-unsigned-*:*linux-image-*) continue ;; esac
			names+=("$name")
		fi
	done
	printf '%s\n' "${names[*]}"
}
