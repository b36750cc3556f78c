#!/bin/bash
# Makes packages of what `make build` has built, in .build/packages: a Debian package, a tarball to be unpacked anywhere, and
# the source. The Debian package lives beside OpenSSH's: its client is called swift-scp, no service is started, and whether
# `scp` means swift-scp is left to the administrator (dpkg-divert, or an alias).
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
umask 022

version=$(sed -n 's/.*static let text = "\(.*\)"/\1/p' Sources/SSHWire/ProductVersion.swift)
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH=$epoch
out=.build/packages
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- tarball
machine=$(uname -m)
name=swift-scp-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$machine
DESTDIR=$work/$name PREFIX=/ Scripts/install.sh install
install -m 644 LICENSE README.md "$work/$name"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -czf "$out/$name.tar.gz" "$name"

# --- source
if git rev-parse HEAD >/dev/null 2>&1; then
    git archive --format=tar.gz --prefix="swift-scp-$version/" -o "$out/swift-scp-$version.tar.gz" HEAD
fi

# --- Debian package
if ! command -v dpkg-deb >/dev/null || ! command -v dpkg-shlibdeps >/dev/null; then
    echo "package: no Debian package without dpkg-deb and dpkg-shlibdeps" >&2
    exit 0
fi
root=$work/deb
DESTDIR=$root PREFIX=/usr SCP_NAME=swift-scp UNITDIR=/lib/systemd/system Scripts/install.sh install
# Debian's zsh looks here.
mkdir -p "$root/usr/share/zsh/vendor-completions"
mv "$root"/usr/share/zsh/site-functions/* "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
docs=$root/usr/share/doc/swift-scp
mkdir -p "$docs"
cp Packaging/debian/copyright "$docs/copyright"
date=$(date -uR -d "@$epoch")
sed -e "s/@VERSION@/$version/" -e "s/@DATE@/$date/" Packaging/debian/changelog.in | gzip -9n >"$docs/changelog.Debian.gz"
gzip -9nc CHANGELOG.md >"$docs/changelog.gz"
install -d "$root/usr/share/lintian/overrides"
install -m 644 Packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/swift-scp"

architecture=$(dpkg --print-architecture)
mkdir -p "$work/debian"
printf 'Source: swift-scp\n\nPackage: swift-scp\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O deb/usr/bin/swift-scp 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
# Packed relocations are read since glibc 2.36, which symbols do not tell.
depends=${depends/libc6 (>= 2.3[0-5])/libc6 (>= 2.36)}
size=$(du -sk --apparent-size "$root/usr" "$root/lib" | awk '{ sum += $1 } END { print sum }')
install -d "$root/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$depends/" -e "s/@SIZE@/$size/" \
    Packaging/debian/control.in >"$root/DEBIAN/control"
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
deb=$out/swift-scp_${version}-1_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null
ls -l "$out"
