#!/bin/sh
# Makes what a guest boots from an unpacked kernel package: make.sh KERNEL_ROOT DIRECTORY
# Leaves vmlinuz, initrd.gz and disk.raw in DIRECTORY.
set -eu
kernel=$1 made=$2
here=$(dirname "$0")
[ -e "$kernel/lib/modules" ] || ln -s usr/lib "$kernel/lib"
version=$(ls "$kernel/lib/modules")
root=$(mktemp -d)
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/lib/modules"
cp "$kernel/boot/vmlinuz-$version" "$made/vmlinuz"
depmod -b "$kernel" "$version"
modprobe -d "$kernel" -S "$version" --show-depends virtio_pci >"$root/needed"
modprobe -d "$kernel" -S "$version" --show-depends virtio_balloon >>"$root/needed"
awk '$1 == "insmod" && !seen[$2]++ { print $2 }' "$root/needed" | while read -r file; do
	name=$(basename "$file" .xz)
	case $file in
	*.xz) xz -dc "$file" >"$root/lib/modules/$name" ;;
	*) cp "$file" "$root/lib/modules/$name" ;;
	esac
	echo "$name" >>"$root/lib/modules/order"
done
rm "$root/needed"
cp /bin/busybox "$root/bin/busybox"
install -m 755 "$here/init" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -9n) >"$made/initrd.gz"
truncate -s 1M "$made/disk.raw"
rm -r "$root"
