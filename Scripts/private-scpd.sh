# Sourced by the demo and the benchmarks: start_scpd PROGRAM DIRECTORY [option]... starts scpd as the current user on a
# free loopback port, with throw-away keys in DIRECTORY, and sets
#   scpd_pid       its process, to be ended by stop_scpd
#   scpd_port      its port
#   scpd_options   an array of options with which scp and ssh reach it, the user's own configuration left aside
#   scpd_user      whom to log in as

scpd_pid=

start_scpd() {
    local program=$1 directory=$2
    shift 2
    ssh-keygen -q -t ed25519 -N '' -f "$directory/scpd_host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$directory/scpd_user_key"
    "$program" --listen 127.0.0.1 --port 0 --host-key "$directory/scpd_host_key" \
        --authorized-keys "$directory/scpd_user_key.pub" "$@" >"$directory/scpd.out" 2>"$directory/scpd.log" &
    scpd_pid=$!
    for _ in $(seq 500); do
        if grep -q '^scpd: listening on' "$directory/scpd.out"; then break; fi
        kill -0 "$scpd_pid" 2>/dev/null || break
        sleep 0.02
    done
    scpd_port=$(sed -n 's/^scpd: listening on .* port //p' "$directory/scpd.out")
    if [ -z "$scpd_port" ]; then
        cat "$directory/scpd.log" >&2
        return 1
    fi
    printf '[127.0.0.1]:%s %s\n' "$scpd_port" "$(cut -d' ' -f1,2 "$directory/scpd_host_key.pub")" \
        >"$directory/scpd_known_hosts"
    scpd_user=$(id -un)
    scpd_options=(
        -F none -i "$directory/scpd_user_key" -o "Port=$scpd_port"
        -o "UserKnownHostsFile=$directory/scpd_known_hosts" -o GlobalKnownHostsFile=none
        -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes
    )
}

# Ends it in good order; an exit status other than 0 is a failure of the script's.
stop_scpd() {
    local pid=$scpd_pid
    scpd_pid=
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid"
    fi
}
