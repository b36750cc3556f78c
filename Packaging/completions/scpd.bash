# bash completion for scpd of swift-scp. Made from the table of options: not to be edited.
# For the command that the file is called like, whether bash-completion loads it or `source`.

# Puts candidates that a colon stands in without what stands before it, as bash takes the colon for a break.
_swift_scpd_reply() {
    local line prefix=
    if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then prefix=${cur%"${cur##*:}"}; fi
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line == "$cur"* ]] && COMPREPLY+=("$(_swift_scpd_quote "${line#"$prefix"}")")
    done
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
}

_swift_scpd_quote() {
    if [[ $quote ]]; then printf '%s' "$1"; else printf '%q' "$1"; fi
}

# Asks the command, with the options that were typed before.
_swift_scpd_ask() {
    "${COMP_WORDS[0]}" "${given[@]}" --complete "$1" -- "$2" 2>/dev/null
}

_swift_scpd_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null; }

# Names with commas between.
_swift_scpd_list() {
    local done=
    [[ $cur == *,* ]] && done=${cur%,*},
    COMPREPLY=($(compgen -P "$done" -W "$1" -- "${cur##*,}"))
    compopt -o nospace 2>/dev/null
}

# Hosts, with something behind each.
_swift_scpd_hosts() {
    local user=
    [[ $cur == *@* ]] && user=${cur%%@*}@
    _swift_scpd_reply < <(_swift_scpd_ask hosts "${cur#*@}" | while IFS= read -r host; do printf '%s%s%s\n' "$user" "$host" "$1"; done)
}

# Goes through the words before the cursor: which options are given, and whose value the cursor is in.
_swift_scpd_read() {
    local word wanted= ended=
    given=() previous=
    for word in "${words[@]:1}"; do
        if [[ $wanted ]]; then given+=("$word") wanted=; continue; fi
        if [[ $ended || $word != -?* ]]; then ended=yes; continue; fi
        case $word in
        --) ended=yes ;;
        --*=*) given+=("$word") ;;
        --*) given+=("$word"); [[ " $valued " == *" $word "* ]] && wanted=$word ;;
        *[-]) given+=("$word"); wanted=-${word: -1} ;;
        *) given+=("$word") ;;
        esac
    done
    if [[ $wanted ]]; then previous=$wanted; unset 'given[-1]'; fi
}

_swift_scpd() {
    local cur previous quote= settings=''
    local valued='--listen --port --root --user-root --umask --host-key --host-certificate --authorized-keys --trusted-user-ca-keys --revoked-keys --password-file --methods --banner --max-connections --max-startups --login-grace --max-auth-tries --max-sessions --idle-timeout --keepalive --congestion --stop-timeout --rekey-limit --kex-algorithms --ciphers --macs --hash-password' line=${COMP_LINE:0:COMP_POINT}
    local -a words given
    # bash splits words at colons; blanks are what counts.
    read -ra words <<<"$line"
    if [[ $line == *[[:blank:]] ]]; then cur=; else cur=${words[-1]}; unset 'words[-1]'; fi
    if [[ $cur == [\"\']* ]]; then quote=${cur:0:1} cur=${cur:1}; fi
    cur=${cur//\\/}
    COMPREPLY=()
    _swift_scpd_read
    if [[ $cur == --*=* ]]; then previous=${cur%%=*} cur=${cur#*=}; fi
    case $previous in
        --host-key|--host-certificate|--authorized-keys|--trusted-user-ca-keys|--revoked-keys|--password-file|--banner) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null; return ;;
        --root) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); compopt -o filenames 2>/dev/null; return ;;
        --kex-algorithms) _swift_scpd_list 'mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256 curve25519-sha256@libssh.org diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group14-sha256 diffie-hellman-group-exchange-sha1 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1'; return ;;
        --ciphers) _swift_scpd_list 'aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc 3des-cbc'; return ;;
        --macs) _swift_scpd_list 'umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1'; return ;;
        --listen|--port|--user-root|--umask|--methods|--max-connections|--max-startups|--login-grace|--max-auth-tries|--max-sessions|--idle-timeout|--keepalive|--congestion|--stop-timeout|--rekey-limit|--hash-password) return ;;
    esac
    case $cur in
    -*) COMPREPLY=($(compgen -W '--listen --port --root --user-root --read-only --umask --host-key --host-certificate --authorized-keys --trusted-user-ca-keys --revoked-keys --password-file --methods --any-user --banner --max-connections --max-startups --login-grace --max-auth-tries --max-sessions --idle-timeout --keepalive --congestion --no-penalties --stop-timeout --rekey-limit --kex-algorithms --ciphers --macs --no-confinement --verbose --sftp --hash-password --version --help' -- "$cur")); return ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null ;;
    esac
}

_swift_scpd_name=${BASH_SOURCE[0]##*/}
complete -F _swift_scpd "${_swift_scpd_name%.bash}"
unset _swift_scpd_name
