#!/bin/bash
# Installs what `make build` has built, or takes it away again.
#
#   Scripts/install.sh install|uninstall
#
#   PREFIX      /usr/local without it
#   DESTDIR     a directory that stands for / (packages)
#   SCP_NAME    what the client is called: scp without it
#   UNITDIR     where systemd's units go: PREFIX/lib/systemd/system without it
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
# As `make install PREFIX=~/.local` gives it.
prefix=${prefix/#\~/$HOME}
root=${DESTDIR:-}
scp=${SCP_NAME:-scp}
units=${UNITDIR:-$prefix/lib/systemd/system}
share=$prefix/share
binary=${SCP_BINARY:-.build/release/scp}

# What is installed: kind, source, place.
list() {
    cat <<LIST
man Packaging/man/scp.1 $share/man/man1/$scp.1
man Packaging/man/swift-scp-config.5 $share/man/man5/swift-scp-config.5
man Packaging/man/scpd.8 $share/man/man8/scpd.8
completion Packaging/completions/scp.bash $share/bash-completion/completions/$scp
completion Packaging/completions/scpd.bash $share/bash-completion/completions/scpd
completion Packaging/completions/_scp $share/zsh/site-functions/_$scp
completion Packaging/completions/_scpd $share/zsh/site-functions/_scpd
completion Packaging/completions/scp.fish $share/fish/vendor_completions.d/$scp.fish
completion Packaging/completions/scpd.fish $share/fish/vendor_completions.d/scpd.fish
unit Packaging/scpd.service $units/scpd.service
unit Packaging/scpd.socket $units/scpd.socket
LIST
}

# Files speak of scp and of /usr/local/bin; here they speak of the name and the place that were chosen.
adapt() {
    case $1 in
    man) sed -e "s/^\.Dt SCP 1/.Dt $(tr '[:lower:]' '[:upper:]' <<<"$scp") 1/" -e "s/^\.Nm scp\$/.Nm $scp/" \
        -e "s/^\.Xr scp 1/.Xr $scp 1/" -e "s/^scp /$scp /" -e "s/^\.Dl scp /.Dl $scp /" "$2" ;;
    completion) sed -e "s/^#compdef scp\$/#compdef $scp/" "$2" ;;
    unit) sed -e "s,/usr/local/bin/,$prefix/bin/," "$2" ;;
    esac
}

case ${1:-} in
install)
    if [ ! -x "$binary" ]; then
        echo "install: no program at $binary: make build" >&2
        exit 1
    fi
    install -d "$root$prefix/bin"
    install -m 755 "$binary" "$root$prefix/bin/$scp"
    strip "$root$prefix/bin/$scp"
    # One file under both names: it is what it is called.
    ln -f "$root$prefix/bin/$scp" "$root$prefix/bin/scpd" ||
        ln -sf "$scp" "$root$prefix/bin/scpd"
    while read -r kind source place; do
        install -d "$root$(dirname "$place")"
        adapt "$kind" "$source" >"$root$place"
        chmod 644 "$root$place"
    done < <(list)
    ;;
uninstall)
    rm -f "$root$prefix/bin/$scp" "$root$prefix/bin/scpd"
    while read -r _ _ place; do rm -f "$root$place"; done < <(list)
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
