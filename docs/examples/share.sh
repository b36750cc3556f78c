#!/bin/sh
# Copies one share of a directory's entries, so that several machines copy it together, each with another INDEX.
# Entries are dealt out one by one; names may hold anything but a newline. Needs GNU xargs.
#
# usage: share.sh INDEX COUNT SOURCE [user@]host:TARGET       (INDEX from 0; TARGET is there already)
set -eu
index=$1 count=$2 source=$3 target=$4
list=$(mktemp)
trap 'rm -f "$list"' EXIT
find "$source" -mindepth 1 -maxdepth 1 | LC_ALL=C sort | awk -v i="$index" -v n="$count" '(NR - 1) % n == i' >"$list"
# As many on a command line as it takes.
xargs -r -d '\n' -a "$list" sh -c 'target=$1; shift; exec scp -B -q -r -p --skip-unchanged -- "$@" "$target"' sh "$target"
