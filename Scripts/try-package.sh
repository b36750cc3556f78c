#!/bin/bash
# Installs the Debian package in .build/packages into an empty root, uses it there, removes it, and looks whether anything
# stayed. Needs root: dpkg and chroot do.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
say() { echo "try-package: $*"; }
deb=$(find .build/packages -name 'swift-scp_*.deb' | head -n 1)
if [ -z "$deb" ]; then
    say "there is no Debian package"
    exit 0
fi

if command -v lintian >/dev/null; then
    lintian --fail-on error --suppress-tags initial-upload-closes-no-bugs "$deb"
fi
if [ "$(id -u)" != 0 ]; then
    say "the rest needs root: left out"
    exit 0
fi

root=$(mktemp -d)
server=
clean_up() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT

# A root that has what the package depends on, and nothing else.
mkdir -p "$root"/{dev,etc,proc,root/.ssh,tmp,usr/bin,var/lib/dpkg/{info,updates,triggers}}
printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
for link in lib lib64 bin sbin; do
    if [ -L "/$link" ]; then
        mkdir -p "$root/usr/$link"
        ln -s "usr/$link" "$root/$link"
    fi
done
needed=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/ *(.*//; s/^ *//')
for package in $needed; do
    dpkg-query -s "$package" | sed '/^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d}; /^\(Depends\|Pre-Depends\|Recommends\|Suggests\|Breaks\|Replaces\|Conflicts\):/d'
    echo
    printf '%s\n' /. /lib /usr /usr/bin >"$root/var/lib/dpkg/info/$package:$(dpkg --print-architecture).list"
done >"$root/var/lib/dpkg/status"
dpkg-deb -x "$deb" "$root/tmp/unpacked"
libraries=$(ldd "$root/tmp/unpacked/usr/bin/swift-scp")
rm -rf "$root/tmp/unpacked"
cp -L --parents $(grep -o '/[^ ]*' <<<"$libraries" | grep '\.so') "$root"

# Swift's runtime finds a program's arguments there.
if ! mount --bind /proc "$root/proc"; then
    say "nothing can be mounted here: the rest is left out"
    exit 0
fi
list() { find "$root" -xdev ! -path "$root/proc/*" ! -path "$root/var/*" ! -path "$root/tmp/*" | sort; }
before=$(list)
dpkg --root="$root" --install "$deb" >/dev/null
say "installed, $(du -skc "$root/usr/bin/swift-scp" "$root/usr/bin/scpd" | awk 'END { print $1 }') KiB of programs"

chroot "$root" /usr/bin/swift-scp --version
chroot "$root" /usr/bin/scpd --version
ssh-keygen -q -t ed25519 -N '' -f "$root/root/.ssh/id_ed25519"
cp "$root/root/.ssh/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
head -c 1M /dev/urandom >"$root/tmp/file"
chroot "$root" /usr/bin/scpd --listen 127.0.0.1 --port 0 --root /tmp >"$root/tmp/out" 2>"$root/tmp/log" &
server=$!
for _ in $(seq 200); do
    port=$(sed -n 's/^scpd: listening on .* port //p' "$root/tmp/out")
    [ -n "$port" ] && break
    sleep 0.05
done
chroot "$root" /usr/bin/swift-scp -q -B -P "$port" -o StrictHostKeyChecking=accept-new /tmp/file 127.0.0.1:copy
cmp "$root/tmp/file" "$root/tmp/copy"
kill "$server"
wait "$server"
server=
rm -rf "$root"/tmp/* "$root"/root/.ssh/* "$root"/root/.local
say "copied a file to itself"

dpkg --root="$root" --purge swift-scp >/dev/null
if ! diff <(echo "$before") <(list); then
    say "something stayed, or more went than came" >&2
    exit 1
fi
say "removed without a trace"
