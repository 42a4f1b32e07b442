#!/bin/sh
# customize.sh ROOT KERNEL ID: makes of an unpacked Debian the full guest. Run by mmdebstrap, before it cleans up.
set -eu
root=$1 kernel=$2 id=$3

# The initramfs has what the root disk needs and nothing else, packed for speed and not for size.
echo 'MODULES=list
COMPRESS=lz4' >"$root/etc/initramfs-tools/conf.d/tare"
echo 'virtio_pci
virtio_blk
ext4' >>"$root/etc/initramfs-tools/modules"
cp "$kernel"/packages/*.deb "$root/tmp/"
chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/*.deb' >&2
rm "$root"/tmp/*.deb
[ -s "$root/boot/initrd.img-$(cat "$kernel/version")" ] || { echo "the kernel package made no initramfs" >&2; exit 1; }

# An installed machine: it has its identity, so systemd does not do the work of a first boot.
echo "$id" >"$root/etc/machine-id"
echo tare-guest >"$root/etc/hostname"
echo '127.0.0.1 localhost tare-guest' >"$root/etc/hosts"
echo '# The root file system is named on the command line of the kernel.' >"$root/etc/fstab"
rm -f "$root/etc/resolv.conf" "$root/etc/apt/apt.conf.d/99mmdebstrap"
rm -rf "$root/etc/apt/auth.conf" "$root/etc/apt/auth.conf.d"

ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
for unit in $MASKED; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done

mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system/multi-user.target.wants"
cat >"$root/etc/systemd/system/tare-payload.service" <<'UNIT'
[Unit]
Description=Tare's payload
ConditionPathExists=/usr/local/bin/tare-payload

[Service]
Type=exec
ExecStart=/usr/local/bin/tare-payload --events tty:/dev/ttyS1 --sleep

[Install]
WantedBy=multi-user.target
UNIT
ln -sf ../tare-payload.service "$root/etc/systemd/system/multi-user.target.wants/tare-payload.service"

# Nothing in /etc or /var is older than /usr, as on a machine that has been started before.
touch "$root/etc/.updated" "$root/var/.updated"
chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >"$root/manifest.txt"
