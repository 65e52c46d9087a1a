# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # for the scripts that source it
#
# Every Debian package that this project uses, by the place where it is
# installed. Nothing else may be relied on, apart from what each Debian has
# (packages marked essential, and apt) and from git and make, with which the
# checkout came here. "make test T=fresh" proves it.

# On the host: what makes a Debian 13 tree. All else runs inside that tree, so
# that a Debian 12 host and a Debian 13 host behave alike.
host_packages=(
	mmdebstrap debian-archive-keyring
	mount    # some minimal roots lack it
	xz-utils # the kernel's sources are unpacked while the tree is made
)

# In the Debian 13 tree. gcc-14 and rustc are the compilers that Debian's
# kernel configuration names.
tree_packages=(
	"${host_packages[@]}"                           # guests' systems are made there too
	gcc-14 make rustc rust-src bindgen libclang-dev # to compile C and Rust
	rustfmt                                         # bindgen formats with it
	flex bison bc perl-base                         # to make a kernel tree
	libelf-dev libssl-dev zlib1g-dev                # objtool, sign-file
	dwarves kmod cpio rsync                         # BTF, modinfo, headers
	zstd                                            # unpacking
	cargo rust-clippy libc6-dev                     # userspace
	ca-certificates                                 # cargo's registry
	clang                                           # KASAN with Rust (debug kernel) needs it
	e2fsprogs                                       # file systems of guests
	qemu-system-x86                                 # guests
	python3                                         # lab, demo, scenarios, golden packets
	python3-yaml python3-jsonschema                 # the netlink specification: generated files, its schema
	iproute2 procps                                 # segments of several guests
	git                                             # the list of tracked files (static checks)
)

# In a tree of its own, which only packages and their test need: what makes
# Debian packages of this checkout, looks at them, and signs a repository.
packaging_packages=(
	build-essential debhelper dh-dkms # to make them
	cargo rustc                       # nlbadm
	ca-certificates                   # cargo's registry
	lintian                           # to look at them
	apt-utils gpg gpg-agent           # a repository of them
	rpm rpmlint                       # dist/nlb.spec is tried with it
)

# In a tree of its own, which only the test of the dissector needs: Wireshark
# without windows.
dissector_packages=(
	tshark
)

# In a tree of its own, which only the documentation as a site needs.
site_packages=(
	mdbook
)

# In guests. Kernel packages and init systems have no place there: guests start
# from an init of this project, so nothing may pull systemd in.
guest_packages=(
	iproute2 ethtool kmod procps                   # to set networks up
	iputils-ping iputils-arping ndisc6 nmap        # to ask neighbours
	nftables iptables conntrack                    # to cut paths, to count, for DNAT
	nginx-light curl                               # real HTTP
	tcpdump jq strace                              # to look at what happens
	busybox-static                                 # the initial file system
	gawk less                                      # scripts and people
	python3-yaml                                   # the kernel tree's netlink tool
)

# In guests that are ordinary Debian systems: what a small server has. The
# stock kernel's package is added to these.
system_packages=(
	systemd-sysv dbus udev          # process 1, and what it works with
	initramfs-tools zstd busybox    # recommended where there is a kernel
	e2fsprogs iproute2 kmod procps iputils-ping
	nginx                           # what the cluster serves
)

# What each variant of them has besides.
declare -A system_variants=(
	[networkd]='' # systemd-networkd sets the network up
	# all that Debian has for this; scenarios choose
	[managers]='network-manager ifupdown netplan.io'
	# what the stories serve (qemu-tests/stories), and what asks it
	[servers]='php-fpm php-pgsql postgresql postfix nsd openssl podman netavark aardvark-dns nftables conntrack curl wrk bind9-dnsutils'
)

# Services of such a variant that its hosts do not run until somebody starts them, and
# programs of it that the client runs on the machine with the guests.
declare -A system_idle=([servers]='php8.4-fpm postgresql postfix nsd podman.socket podman-auto-update.timer')
declare -A system_client=([servers]='wrk dig openssl curl')
