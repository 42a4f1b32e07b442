#!/bin/sh
# full.sh FOLDER DIGEST: builds a Debian or Ubuntu with systemd from this host's own apt sources into FOLDER/full.
#
#   base.ext4  vmlinuz  initrd.img  manifest.txt (packages with versions)  stamp (DIGEST, written last)
#
# From the environment: SUITE, DISK_MIB, PACKAGES (with commas), MASKED (units, with spaces). The kernel is FOLDER/kernel.
# A killed run leaves a temporary folder, which the next one removes, and never a half image. What mmdebstrap mounts, it
# mounts in a mount namespace of its own, so nothing can be left mounted.
set -eu
folder=$1 digest=$2

exec 9>"$folder/.lock"
flock 9
rm -rf --one-file-system "$folder"/.full.*
work=$(mktemp -d "$folder/.full.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work" # apt downloads as a user of its own
mkdir "$work/image"
(umask 077 && touch "$work/sources.list" "$work/apt.conf") # there may be passwords of proxies in them

. "$(dirname "$0")/archive.sh"

# For the hook below: a path must not become part of a command.
TARE_FOLDER=$folder TARE_ID=$(echo "$digest" | cut -c1-32)
export TARE_FOLDER TARE_ID

unshare --mount --propagation private mmdebstrap --mode=root --variant=minbase --format=directory \
  --include="$PACKAGES" --aptopt="$work/apt.conf" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --setup-hook='mkdir -p "$1/etc/apt"; for f in auth.conf auth.conf.d; do [ ! -e "/etc/apt/$f" ] || cp -a "/etc/apt/$f" "$1/etc/apt/"; done' \
  --customize-hook='"$TARE_FOLDER/scripts/customize.sh" "$1" "$TARE_FOLDER/kernel" "$TARE_ID"' \
  "$SUITE" "$work/root" "$work/sources.list" >&2 </dev/null

version=$(cat "$folder/kernel/version")
cp "$folder/kernel/vmlinuz" "$work/image/vmlinuz"
mv "$work/root/boot/initrd.img-$version" "$work/image/initrd.img"
mv "$work/root/manifest.txt" "$work/image/manifest.txt"
rm -f "$work/root/boot/vmlinuz-$version" "$work/root/usr/lib/modules/$version/vmlinuz"

# Tables are written now, so that no guest's kernel spends its first minute on writing them.
truncate -s "${DISK_MIB}M" "$work/image/base.ext4"
mke2fs -q -t ext4 -L tare -m 0 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard -d "$work/root" "$work/image/base.ext4" >&2
chmod 644 "$work"/image/*
chmod 755 "$work/image"
echo "$digest" >"$work/image/stamp"
sync -f "$work/image/stamp"

if [ -d "$folder/full" ]; then mv "$folder/full" "$work/old"; fi
mv "$work/image" "$folder/full"
