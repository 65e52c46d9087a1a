#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make what guests boot from, besides the stock kernel's image:
#   guest/userland.ext4               a small Debian 13, read-only, shared by all guests
#   kernels/RELEASE/modules.ext4      the kernel's own modules, unpacked
#   kernels/RELEASE/boot-initrd       finds those two and starts /nlb/init
# A disk image that is mounted read-only below a tmpfs boots in a few seconds
# under emulation, where unpacking a whole userland into memory takes longer
# and costs each guest that memory. Prints the release.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

GUEST=$NLB_CACHE/guest

# Loaded before the disks can be read: their driver and file systems, some of
# which the cloud kernel has built in and the generic one has not. Under a
# counted clock the disks are persistent memory (qemu-tests/nlbtest/guest.py).
boot_modules=(virtio_pci virtio_blk ext4 overlay)
memory_modules=(virtio_pmem nd_pmem)

# make_ext4 DIR IMAGE: a read-only file system, as large as its files.
make_ext4() {
	local kib inodes
	kib=$(du -sk --apparent-size "$1" | cut -f1)
	inodes=$(find "$1" | wc -l)
	truncate -s "$((kib + kib / 8 + inodes * 4 + 8192))K" "$2"
	mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -m 0 -b 4096 \
		-N "$((inodes + 64))" -d "$1" "$2"
}

make_userland() {
	local dest=$1 tree=$1.tree
	cp -a --reflink=auto "$GUEST/userland.tree" "$tree"
	rm -rf --one-file-system -- "${tree:?}"/{var/cache/apt,var/lib/apt/lists,dev}/*
	mkdir -p "$tree/nlb" "$tree/usr/lib/modules"
	make_ext4 "$tree" "$dest"
	rm -rf --one-file-system -- "$tree"
}

# What guests have no hardware for: three quarters of the generic kernel's modules.
NO_HARDWARE=(
	sound drivers/{accel,ata,bluetooth,comedi,edac,firewire,gpu,greybus,hid,hwmon,iio,infiniband,input,isdn,leds}
	drivers/{media,message,mfd,mmc,mtd,nfc,platform,power,regulator,scsi,soundwire,spi,staging,target,thunderbolt,tty,usb,video}
	drivers/net/{ethernet,wireless,usb,phy,dsa,can,fddi,wan,wwan}
)

# make_modules DEST: kmod reads packed modules too, but unpacking xz under
# emulation costs more time than the whole boot.
make_modules() {
	local dest=$1 tree=$1.tree
	rm -rf --one-file-system -- "$tree"
	mkdir -p "$tree"
	cp -r "$kernel/image/lib/modules/$release/kernel" "$tree/kernel"
	(cd "$tree/kernel" && rm -rf -- "${NO_HARDWARE[@]}")
	cp "$kernel/image/lib/modules/$release"/modules.{order,builtin*} "$tree/"
	find "$tree/kernel" -name '*.ko.xz' -print0 | xargs -0 -r -P "$(nproc)" -n 64 xz --decompress
	find "$tree/kernel" -name '*.ko.zst' -print0 | xargs -0 -r -n 64 zstd --quiet --decompress --rm
	sed -i 's/\.ko\.\(xz\|zst\)$/.ko/' "$tree/modules.order"
	mkdir -p "$dest.base/lib/modules"
	mv -T -- "$tree" "$dest.base/lib/modules/$release"
	/sbin/depmod --basedir "$dest.base" "$release"
	make_ext4 "$dest.base/lib/modules/$release" "$dest"
	rm -rf --one-file-system -- "$dest.base"
}

# boot_module_files: the modules the initial file system loads, in order.
boot_module_files() {
	/sbin/modprobe --dirname "$kernel/image" --set-version "$release" \
		--show-depends --all "${boot_modules[@]}" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

make_initrd() {
	local dest=$1 tree=$1.tree file name
	rm -rf --one-file-system -- "$tree"
	mkdir -p "$tree"/{bin,dev,proc,sys,low,rw,new,modules}
	cp "$GUEST/userland.tree/usr/bin/busybox" "$tree/bin/busybox"
	install -m 755 "$NLB_ROOT/qemu-tests/guest/boot.sh" "$tree/init"
	: >"$tree/modules/order"
	while IFS= read -r file; do
		name=$(basename "$file")
		case $file in
		*.xz) xz --decompress --stdout "$file" >"$tree/modules/${name%.xz}" ;;
		*.zst) zstd --quiet --decompress --stdout "$file" >"$tree/modules/${name%.zst}" ;;
		*) cp "$file" "$tree/modules/$name" ;;
		esac
		echo "/modules/${name%.ko*}.ko" >>"$tree/modules/order"
	done < <(boot_module_files)
	mknod -m 600 "$tree/dev/console" c 5 1
	# Left unpacked: the per-run part is appended to it, and memory-to-memory
	# copies are faster under emulation than any decompressor.
	(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc) >"$dest"
	rm -rf --one-file-system -- "$tree"
}

# make_dependencies DEST: Debian's modules come without their index.
make_dependencies() {
	/sbin/depmod --basedir "$kernel/image" "$release"
	cp "$kernel/image/lib/modules/$release/modules.dep" "$1"
}

enter_tree "$@"
mkdir -p "$GUEST"
release=$("$NLB_ROOT/scripts/kernel-release.sh")
case $release in
*-debug) "$NLB_ROOT/scripts/setup-debug-kernel.sh" >/dev/null ;;
*) NLB_KERNEL=$release "$NLB_ROOT/scripts/fetch-kernel.sh" >/dev/null ;;
esac
kernel=$NLB_CACHE/kernels/$release
"$NLB_ROOT/scripts/setup-userland.sh"

# The recipes' numbers are raised when a function above changes what it makes.
step "$GUEST/userland.ext4" "3 $(<"$GUEST/userland.tree.done")" "guests' file system" make_userland
step "$kernel/modules.dep" "1" "$release: index of modules" make_dependencies
step "$kernel/modules.ext4" "2 ${NO_HARDWARE[*]}" "$release: modules for guests" make_modules
# Our debug kernel has no such driver, and no guest of a counted clock.
if /sbin/modprobe --dirname "$kernel/image" --set-version "$release" \
	--show-depends --all "${memory_modules[@]}" >/dev/null 2>&1; then
	boot_modules+=("${memory_modules[@]}")
fi
# What is mapped as memory comes in pages of 2 MiB.
truncate --size=%2M "$GUEST/userland.ext4" "$kernel/modules.ext4"
step "$kernel/boot-initrd" \
	"1 ${boot_modules[*]} $(sha256sum <"$NLB_ROOT/qemu-tests/guest/boot.sh" | cut -c1-16)" \
	"$release: initial file system" make_initrd
printf '%s\n' "$release"
