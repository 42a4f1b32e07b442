#!/bin/sh
# zfs.sh FOLDER DIGEST: builds Debian's zfs for the kernel in FOLDER/inside, into FOLDER/zfs/RELEASE.
#
#   modules/lib/modules/RELEASE/  the kernel's own modules (links to the same files) and those of zfs
#   userland/usr/                 zpool, zfs, and the libraries that they load
#   version (of zfs)  digest (of kernel release, version and modules)  manifest.txt (packages)  stamp (DIGEST, written last)
#
# From the environment: SUITE. The compiler, the kernel's headers and zfs-dkms are in a root file system that is made for the
# build and removed after it; nothing is installed on the host, nor loaded into its kernel. A killed run leaves a temporary
# folder, which the next one removes, and never half a module. What mmdebstrap mounts, it mounts in a mount namespace of its own.
set -eu
folder=$1 digest=$2

exec 9>"$folder/.lock"
flock 9
mkdir -p "$folder/zfs"
rm -rf --one-file-system "$folder"/zfs/.zfs.*
release=$(cat "$folder/inside/version")
work=$(mktemp -d "$folder/zfs/.zfs.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work" # apt downloads as a user of its own
mkdir -p "$work/made/userland/usr/sbin"
(umask 077 && touch "$work/sources.list" "$work/apt.conf") # there may be passwords of proxies in them

. "$(dirname "$0")/archive.sh"

command -v mmdebstrap >/dev/null || die "zfs is built in a root file system that mmdebstrap makes: install mmdebstrap"
apt-cache show "linux-headers-$release" >/dev/null 2>&1 || die "the archive has no linux-headers-$release any more:" \
  "remove $folder/inside and run 'tare provision guest_images zfs', which take the newest kernel"
"$(dirname "$0")/contrib.sh" <"$work/sources.list" >"$work/with-contrib.list"

# DKMS builds the module for the one kernel whose headers are there, when zfs-dkms is configured.
unshare --mount --propagation private nice -n 19 mmdebstrap --mode=root --variant=minbase --format=directory \
  --include="linux-headers-$release,zfs-dkms,zfsutils-linux,kmod" --aptopt="$work/apt.conf" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --setup-hook='mkdir -p "$1/etc/apt"; for f in auth.conf auth.conf.d; do [ ! -e "/etc/apt/$f" ] || cp -a "/etc/apt/$f" "$1/etc/apt/"; done' \
  "$SUITE" "$work/root" "$work/with-contrib.list" >&2 </dev/null
root=$work/root made=$work/made

set -- "$root/lib/modules/$release/updates/dkms"/*.ko*
[ -e "$1" ] || die "zfs-dkms has built no module for $release; the end of its log:" \
  "$(tail -n 20 "$root"/var/lib/dkms/zfs/*/build/make.log 2>/dev/null || true)"

cp -al "$folder/inside/modules" "$made/modules" 2>/dev/null || { rm -rf "$made/modules"; cp -a "$folder/inside/modules" "$made/modules"; }
mkdir "$made/modules/lib/modules/$release/updates"
cp "$@" "$made/modules/lib/modules/$release/updates/"
depmod -b "$made/modules" "$release" # it replaces its files, so the kernel's own stay as they are

# What the programs load, where the guest's loader looks; what the guest has of it already stays the guest's own.
for program in zpool zfs; do
  cp "$root/usr/sbin/$program" "$made/userland/usr/sbin/" 2>/dev/null || cp "$root/sbin/$program" "$made/userland/usr/sbin/"
  chroot "$root" ldd "$(chroot "$root" sh -c "command -v $program")"
done | sed -n 's/.* => \(\/[^ ]*\) (0x[0-9a-f]*)$/\1/p' | sort -u | while read -r library; do
  place=$made/userland/usr${library#/usr}
  mkdir -p "$(dirname "$place")"
  cp -L "$root$library" "$place"
done

chroot "$root" dpkg-query -W -f '${Version}\n' zfs-dkms >"$made/version"
chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >"$made/manifest.txt"
{ echo "$release"; cat "$made/version" "$@"; } | sha256sum | cut -d ' ' -f 1 >"$made/digest"
echo "$digest" >"$made/stamp"
sync -f "$made/stamp"

mkdir "$work/old" # also of kernels that the guest no longer has
for old in "$folder"/zfs/*; do if [ -d "$old" ]; then mv "$old" "$work/old/"; fi; done
mv "$made" "$folder/zfs/$release"
