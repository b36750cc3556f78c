#!/bin/bash
# Installs what the tests and the demo need beside a Swift toolchain. Quick when all of it is there.
# On Debian and Ubuntu with apt-get; elsewhere it says what is missing.
set -euo pipefail
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# To build; peers to copy from and to; tools of the scripts.
packages=(
    zlib1g-dev
    openssh-server openssh-client openssh-sftp-server openssh-tests
    dropbear-bin tinysshd putty-tools
    python3-asyncssh python3-paramiko python3-scp lftp rclone rsync sshfs
    erlang-ssh proftpd-core proftpd-mod-crypto
    openssl curl jq tmux util-linux procps iproute2 time python3 python3-venv
    bash-completion zsh fish mandoc man-db
    dpkg-dev lintian binutils
)

# What Debian does not have, or not new enough, comes from PyPI into a directory of its own, where the tests look for it.
ssh_audit=3.9.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/swift-scp"

say() { printf 'setup: %s\n' "$*" >&2; }

# sshd refuses to start as root without this directory, which a machine without systemd does not make.
make_sshd_directory() {
    if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then mkdir -p -m 755 /run/sshd; fi
}

install_ssh_audit() {
    local place="$cache/ssh-audit-$ssh_audit"
    if [ -x "$place/bin/ssh-audit" ]; then return; fi
    say "installing ssh-audit $ssh_audit into $place"
    rm -rf "$place"
    if ! { python3 -m venv "$place" && "$place/bin/pip" install --quiet "ssh-audit==$ssh_audit"; } >&2; then
        rm -rf "$place"
        say "could not install ssh-audit; its test will fail"
        return 1
    fi
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    missing=()
    for program in ssh scp sshd ssh-keygen dropbear openssl python3; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ ${#missing[@]} = 0 ]; then
        install_ssh_audit
        exit 0
    fi
    say "not a Debian or Ubuntu: install these programs by hand: ${missing[*]}"
    exit 1
fi

list_missing() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null |
        awk '$1 == "ii" { print $2 }' || true)
    for package in "${packages[@]}"; do
        grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
    done
}

mapfile -t missing < <(list_missing)
if [ ${#missing[@]} = 0 ]; then
    make_sshd_directory
    install_ssh_audit
    exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        say "these packages are missing, and installing them takes root: ${missing[*]}"
        say "run: apt-get install ${missing[*]}"
        exit 1
    fi
fi

# No daemon is to start on this machine because its package was installed.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    made_policy=yes
fi
trap 'if [ "$made_policy" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi' EXIT

say "installing ${missing[*]}"
install_packages() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}
log=$(mktemp)
if ! install_packages >"$log" 2>&1; then
    # The lists of packages may be missing or old.
    if ! { "${as_root[@]}" apt-get update && install_packages; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        say "could not install: ${missing[*]}"
        exit 1
    fi
fi
rm -f "$log"
# Nor when it boots the next time.
if [[ " ${missing[*]} " = *" proftpd-core "* ]] && command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl --quiet disable proftpd >&2 || true
fi
make_sshd_directory
install_ssh_audit
