#!/bin/sh
# contrib.sh: reads apt sources, one component a line, and prints them with section contrib of the same Debian archives added.
#
# zfs is in contrib, which a host's sources need not have; the archive that they name has it.
set -eu
sed 'p; s/ main$/ contrib/' | sort -u
