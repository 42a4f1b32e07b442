# archive.sh: what scripts share that build from a distribution's archive; read by "." with $work and $SUITE set.
#
#   $work/sources.list   this host's own apt sources, of the distribution's archive only
#   $work/apt.conf       how this host reaches them

die() { echo "$*" >&2; exit 1; }

# The host's own sources, of the distribution's archive only: apt reads both formats, leaves out what is disabled and knows
# from the signed Release file whose archive it is.
sources() {
  origin=$1 keyring=$2
  signed=
  [ ! -f "$keyring" ] || signed="[signed-by=$keyring] "
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    | while read -r whose uri release component; do
        case $whose,$release in
          "$origin",*-backports* | "$origin",*-proposed* | "$origin",experimental) ;;
          "$origin","$SUITE"*) echo "deb $signed$uri $release $component" ;;
        esac
      done | sort -u
}
apt-get update -qq >&2
# Debian sid calls itself by the name of the next release: what is meant is the suite that its base files were installed from.
if ! apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' | grep -q "^$SUITE"; then
  installed=$(apt-cache policy base-files \
    | awk '/^ [*][*][*] / {here = 1} here && $NF == "Packages" {sub("/.*", "", $3); print $3; exit}')
  SUITE=${installed:-$SUITE}
fi
sources Debian /usr/share/keyrings/debian-archive-keyring.gpg >"$work/sources.list"
[ -s "$work/sources.list" ] || sources Ubuntu /usr/share/keyrings/ubuntu-archive-keyring.gpg >"$work/sources.list"
[ -s "$work/sources.list" ] || die "this host's apt sources have no archive of Debian or Ubuntu for the suite '$SUITE'"

# How this host reaches them (proxies, timeouts, dates): mmdebstrap reads none of the host's apt configuration by itself.
apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime)(:| )' \
  >"$work/apt.conf" || true
echo 'APT::Install-Recommends "false";' >>"$work/apt.conf"
