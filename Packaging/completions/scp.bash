# bash completion for scp of swift-scp. Made from the table of options: not to be edited.
# For the command that the file is called like, whether bash-completion loads it or `source`.

# Puts candidates that a colon stands in without what stands before it, as bash takes the colon for a break.
_swift_scp_reply() {
    local line prefix=
    if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then prefix=${cur%"${cur##*:}"}; fi
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line == "$cur"* ]] && COMPREPLY+=("$(_swift_scp_quote "${line#"$prefix"}")")
    done
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
}

_swift_scp_quote() {
    if [[ $quote ]]; then printf '%s' "$1"; else printf '%q' "$1"; fi
}

# Asks the command, with the options that were typed before.
_swift_scp_ask() {
    "${COMP_WORDS[0]}" "${given[@]}" --complete "$1" -- "$2" 2>/dev/null
}

_swift_scp_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null; }

# Names with commas between.
_swift_scp_list() {
    local done=
    [[ $cur == *,* ]] && done=${cur%,*},
    COMPREPLY=($(compgen -P "$done" -W "$1" -- "${cur##*,}"))
    compopt -o nospace 2>/dev/null
}

# Hosts, with something behind each.
_swift_scp_hosts() {
    local user=
    [[ $cur == *@* ]] && user=${cur%%@*}@
    _swift_scp_reply < <(_swift_scp_ask hosts "${cur#*@}" | while IFS= read -r host; do printf '%s%s%s\n' "$user" "$host" "$1"; done)
}

# Goes through the words before the cursor: which options are given, and whose value the cursor is in.
_swift_scp_read() {
    local word wanted= ended=
    given=() previous=
    for word in "${words[@]:1}"; do
        if [[ $wanted ]]; then given+=("$word") wanted=; continue; fi
        if [[ $ended || $word != -?* ]]; then ended=yes; continue; fi
        case $word in
        --) ended=yes ;;
        --*=*) given+=("$word") ;;
        --*) given+=("$word"); [[ " $valued " == *" $word "* ]] && wanted=$word ;;
        *[lPioFJcSDXQ]) given+=("$word"); wanted=-${word: -1} ;;
        *) given+=("$word") ;;
        esac
    done
    if [[ $wanted ]]; then previous=$wanted; unset 'given[-1]'; fi
}

_swift_scp() {
    local cur previous quote= settings='AddKeysToAgent AddressFamily BatchMode BindAddress BindInterface CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots CanonicalizePermittedCNAMEs CASignatureAlgorithms CertificateFile CheckHostIP Ciphers ClearAllForwardings Compression ConnectionAttempts ConnectTimeout ControlPath FingerprintHash ForwardAgent GlobalKnownHostsFile HashKnownHosts HostKeyAlgorithms HostKeyAlias HostName IdentitiesOnly IdentityAgent IdentityFile IgnoreUnknown IPQoS KbdInteractiveAuthentication KbdInteractiveDevices KexAlgorithms KnownHostsCommand LogLevel MACs NoHostAuthenticationForLocalhost NumberOfPasswordPrompts PasswordAuthentication Port PreferredAuthentications ProxyCommand ProxyJump PubkeyAcceptedAlgorithms PubkeyAuthentication RefuseConnection RekeyLimit RequiredRSASize RevokedHostKeys SendEnv ServerAliveCountMax ServerAliveInterval SetEnv StrictHostKeyChecking Tag TCPKeepAlive UpdateHostKeys User UserKnownHostsFile VersionAddendum VisualHostKey WarnWeakCrypto'
    local valued='-l --bwlimit --retries --exclude --include --exclude-from --max-depth --min-size --max-size --newer-than --older-than -P -i -o -F -J -c --connections --congestion -S -D -X --log -Q' line=${COMP_LINE:0:COMP_POINT}
    local -a words given
    # bash splits words at colons; blanks are what counts.
    read -ra words <<<"$line"
    if [[ $line == *[[:blank:]] ]]; then cur=; else cur=${words[-1]}; unset 'words[-1]'; fi
    if [[ $cur == [\"\']* ]]; then quote=${cur:0:1} cur=${cur:1}; fi
    cur=${cur//\\/}
    COMPREPLY=()
    _swift_scp_read
    if [[ $cur == --*=* ]]; then previous=${cur%%=*} cur=${cur#*=}; fi
    case $previous in
        --exclude-from|-i|-F|--log) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null; return ;;
        -S|-D) COMPREPLY=($(compgen -c -- "$cur")); return ;;
        -J) _swift_scp_hosts '' ''; return ;;
        -o) COMPREPLY=($(compgen -S = -W "$settings" -- "$cur")); compopt -o nospace 2>/dev/null; return ;;
        -c) _swift_scp_list 'aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc 3des-cbc'; return ;;
        --connections) _swift_scp_words 'auto 1 2 4 8'; return ;;
        -X) _swift_scp_words 'nrequests= buffer='; return ;;
        -Q) _swift_scp_words 'cipher cipher-auth compression help kex key key-ca-sign key-cert key-plain key-sig mac protocol-version sig'; return ;;
        -l|--bwlimit|--retries|--exclude|--include|--max-depth|--min-size|--max-size|--newer-than|--older-than|-P|--congestion) return ;;
    esac
    case $cur in
    -*) COMPREPLY=($(compgen -W '-r -p -l --bwlimit -T --resume --atomic --fsync --verify --retries --exclude --include --exclude-from --max-depth --min-size --max-size --newer-than --older-than --no-clobber --update --skip-unchanged --dry-run -P -i -o -F -J -4 -6 -A -B -C -c --connections --congestion -S -3 -R -O -s -D -X --json --stats --log -v -q -G -Q -V --version --help' -- "$cur")); return ;;
    */*:*|*:*) _swift_scp_reply < <(_swift_scp_ask paths "$cur") ;;
    *)
        COMPREPLY=()
        local -a files=()
        local file
        while IFS= read -r file; do
            [[ -d $file ]] && file+=/
            files+=("$(_swift_scp_quote "$file")")
        done < <(compgen -f -- "$cur")
        [[ $cur == */* ]] || _swift_scp_hosts :
        COMPREPLY+=("${files[@]}")
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
        ;;
    esac
}

_swift_scp_name=${BASH_SOURCE[0]##*/}
complete -F _swift_scp "${_swift_scp_name%.bash}"
unset _swift_scp_name
