#!/bin/sh
# kernel.sh FOLDER DIGEST "PACKAGE…" NAME: unpacks the first of these kernel packages that is available into FOLDER/NAME.
#
#   vmlinuz  version  modules/lib/modules/VERSION/  packages/*.deb|rpm  stamp (DIGEST, written last)
#
# Nothing is installed on the host. A killed run leaves a temporary folder, which the next one removes, and never a half kernel.
set -eu
folder=$1 digest=$2 names=$3 name=$4

exec 9>"$folder/.lock"
flock 9
rm -rf --one-file-system "$folder"/.kernel.*
work=$(mktemp -d "$folder/.kernel.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work"
mkdir -p "$work/packages" "$work/root" "$work/modules/lib/modules"

die() { echo "$*" >&2; exit 1; }

unpack_deb() {
  # An old list names a version that the archive no longer has.
  apt-get update -qq >&2
  for wanted in $names; do
    # A meta package depends on the image of one version.
    image=$(apt-cache depends --no-recommends --no-suggests "$wanted" 2>/dev/null \
      | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [ -n "$image" ] || continue
    # Releases split a kernel differently: its modules, vmlinuz itself (linux-binary-…) and lists of what is built in
    # (linux-base-…) may each be a package, which the image's package needs and which has the same version in its name.
    needed=$(apt-cache depends --important --recurse "$image" \
      | awk -v end="-${image#linux-image-}" '/^linux-/ && substr($0, length($0) - length(end) + 1) == end')
    # shellcheck disable=SC2086 # a list of names
    (cd "$work/packages" && apt-get download -q -o APT::Sandbox::User=root $needed >&2)
    for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/root"; done
    return
  done
  die "none of these kernel packages is available from this host's apt sources: $names"
}

unpack_rpm() {
  for wanted in $names; do
    (cd "$work/packages" && dnf -q download --destdir . "$wanted" "${wanted%-core}-modules-core" >&2) || continue
    for package in "$work"/packages/*.rpm; do (cd "$work/root" && rpm2cpio "$package" | cpio -idm --quiet); done
    return
  done
  die "none of these kernel packages can be downloaded with this host's dnf: $names"
}

if command -v apt-get >/dev/null; then unpack_deb; else unpack_rpm; fi

for tree in "$work"/root/lib/modules/* "$work"/root/usr/lib/modules/*; do
  if [ -d "$tree/kernel" ]; then mv "$tree" "$work/modules/lib/modules/"; fi
done
version=$(ls "$work/modules/lib/modules")
[ "$(echo "$version" | wc -w)" = 1 ] || die "one kernel version was expected in the packages, these are there: '$version'"
for image in "$work/root/boot/vmlinuz-$version" "$work/modules/lib/modules/$version/vmlinuz"; do
  if [ -f "$image" ]; then mv "$image" "$work/vmlinuz"; fi
done
[ -f "$work/vmlinuz" ] || die "the packages of kernel $version have no vmlinuz: $(ls "$work/packages" | xargs)"
chmod 644 "$work/vmlinuz"
if [ "$name" = inside ]; then # the kernel alone is used, and much of it drives hardware that a machine does not have
  for useless in sound drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet drivers/infiniband drivers/iio; do
    rm -rf "$work/modules/lib/modules/$version/kernel/$useless"
  done
  rm -f "$work"/packages/*
fi
depmod -b "$work/modules" "$version"
echo "$version" >"$work/version"
rm -rf "$work/root"
echo "$digest" >"$work/stamp"
sync -f "$work/stamp"

if [ -d "$folder/$name" ]; then mv "$folder/$name" "$work/old"; fi
mv "$work" "$folder/$name"
rm -rf "$folder/$name/old"
