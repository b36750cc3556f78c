# Sourced by the demo and the benchmarks: start_sshd DIRECTORY [sshd_config line]... starts the installed sshd as the
# current user on a free loopback port, with throw-away keys in DIRECTORY, and sets
#   sshd_pid       its process, to be ended by stop_sshd
#   sshd_port      its port
#   ssh_options    an array of options with which scp and ssh reach it, the user's own configuration left aside
#   ssh_user       whom to log in as
# It listens on sshd_address if that is set.

sshd_pid=

start_sshd() {
    local directory=$1 address=${sshd_address:-127.0.0.1} sshd attempt
    shift
    sshd=$(PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v sshd) || {
        echo "sshd is not installed: Scripts/setup.sh installs it" >&2
        return 1
    }
    if [ "$(id -u)" = 0 ]; then mkdir -p -m 755 /run/sshd; fi
    ssh-keygen -q -t ed25519 -N '' -f "$directory/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$directory/user_key"
    for attempt in 1 2 3 4 5; do
        sshd_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        {
            printf '%s\n' "$@"
            cat <<CONFIG
ListenAddress $address:$sshd_port
HostKey $directory/host_key
AuthorizedKeysFile $directory/user_key.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp internal-sftp
CONFIG
        } >"$directory/sshd_config"
        "$sshd" -D -e -f "$directory/sshd_config" 2>"$directory/sshd.log" &
        sshd_pid=$!
        for _ in $(seq 200); do
            if grep -q 'Server listening' "$directory/sshd.log"; then break 2; fi
            kill -0 "$sshd_pid" 2>/dev/null || break
            sleep 0.02
        done
        stop_sshd
        if [ "$attempt" = 5 ] || ! grep -qi 'in use' "$directory/sshd.log"; then
            cat "$directory/sshd.log" >&2
            return 1
        fi
    done
    printf '[%s]:%s %s\n' "$address" "$sshd_port" "$(cut -d' ' -f1,2 "$directory/host_key.pub")" >"$directory/known_hosts"
    ssh_user=$(id -un)
    ssh_options=(
        -F none -i "$directory/user_key" -o "Port=$sshd_port" -o "UserKnownHostsFile=$directory/known_hosts"
        -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes
    )
}

stop_sshd() {
    if [ -n "$sshd_pid" ]; then
        kill "$sshd_pid" 2>/dev/null || true
        wait "$sshd_pid" 2>/dev/null || true
        sshd_pid=
    fi
}
