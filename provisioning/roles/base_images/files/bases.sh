#!/bin/sh
# bases.sh FOLDER DIGEST: makes the base images that come from a distribution's archive, from this host's own apt sources.
#
#   NAME.tar.gz, for each base  NAME.tar.gz.digests (SHA-256 of the plain and of the compressed tar)
#   NAME.txt (packages with versions)  STAMP (DIGEST, written last)
#
# From the environment: SUITE; BASES, "NAME" or "NAME=PACKAGE,PACKAGE" with blanks between; STAMP, a file's name. A killed run leaves
# a temporary folder, which the next one removes, and never half an image. What mmdebstrap mounts, it mounts in a mount namespace of
# its own.
set -eu
folder=$1 digest=$2

exec 9>"$folder/.lock"
flock 9
rm -rf --one-file-system "$folder"/.bases.*
work=$(mktemp -d "$folder/.bases.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 143' TERM INT HUP
chmod 755 "$work" # apt downloads as a user of its own
mkdir "$work/made"
(umask 077 && touch "$work/sources.list" "$work/apt.conf") # there may be passwords of proxies in them

. "$(dirname "$0")/archive.sh"

# base NAME PACKAGES: the packages are the whole difference; times of files are the epoch's, so that a rebuild from the same
# packages has the same bits; what packages generate at random when they are installed, keys and a database, is removed.
# Documentation is left out, as container images of distributions leave it out.
base() {
  name=$1 packages=$2
  export TARE_LIST="$work/made/$name.txt" # for a hook: a path must not become part of a command
  unshare --mount --propagation private mmdebstrap --mode=root --variant=minbase --format=tar \
    ${packages:+"--include=$packages"} --aptopt="$work/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --skip=output/dev ${merged:+"--hook-dir=$merged"} \
    --setup-hook='mkdir -p "$1/etc/apt"; for f in auth.conf auth.conf.d; do [ ! -e "/etc/apt/$f" ] || cp -a "/etc/apt/$f" "$1/etc/apt/"; done' \
    --customize-hook='rm -rf "$1/etc/apt/auth.conf" "$1/etc/apt/auth.conf.d" "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1"/etc/apt/sources.list* "$1/etc/resolv.conf"' \
    --customize-hook='rm -f "$1"/var/log/dpkg.log "$1"/var/log/alternatives.log "$1"/var/log/apt/* "$1"/var/cache/ldconfig/aux-cache' \
    --customize-hook='rm -rf "$1"/var/lib/postgresql/*/main "$1"/etc/postgresql/* "$1"/etc/ssl/private/*.key "$1"/etc/ssl/certs/ssl-cert-snakeoil.pem' \
    --customize-hook='chroot "$1" dpkg-query -W -f "\${Package} \${Version} \${Architecture}\n" >"$TARE_LIST"' \
    "$SUITE" "$work/$name.tar" "$work/sources.list" >&2 </dev/null
  gzip -n -6 <"$work/$name.tar" >"$work/made/$name.tar.gz"
  for file in "$work/$name.tar" "$work/made/$name.tar.gz"; do sha256sum <"$file" | cut -d' ' -f1; done >"$work/made/$name.tar.gz.digests"
  rm "$work/$name.tar"
}
export SOURCE_DATE_EPOCH=1
# With a merged /usr from the start, package usrmerge and the whole of Perl, which it needs, stay out (mmdebstrap(1), HOOKS).
merged=/usr/share/mmdebstrap/hooks/maybe-merged-usr
[ -d "$merged" ] || merged=
for one in $BASES; do
  case $one in *=*) base "${one%%=*}" "${one#*=}" ;; *) base "$one" '' ;; esac
done

chmod 644 "$work"/made/*
for made in "$work"/made/*; do mv "$made" "$folder/"; done
echo "$digest" >"$folder/$STAMP"
sync -f "$folder/$STAMP"
