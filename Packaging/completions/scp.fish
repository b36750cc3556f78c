# fish completion for scp of swift-scp. Made from the table of options: not to be edited.
# For the command that the file is called like.
set -l command (status basename | string replace -r '\.fish$' '')

# Asks the command, with the options that were typed before.
function _swift_scp_ask
    set -l words (commandline -opc)
    set -l given
    set -l wanted no
    for word in $words[2..-1]
        if test $wanted = yes
            set -a given $word
            set wanted no
        else if string match -qr -- '^-' $word
            set -a given $word
            if contains -- $word -l --bwlimit --retries --exclude --include --exclude-from --max-depth --min-size --max-size --newer-than --older-than -P -i -o -F -J -c --connections --congestion -S -D -X --log -Q
                set wanted yes
            else if string match -qr -- '^-[^-]*[lPioFJcSDXQ]$' $word
                set wanted yes
            end
        end
    end
    if test $wanted = yes
        set -e given[-1]
    end
    command $words[1] $given --complete $argv[1] -- "$argv[2]" 2>/dev/null
end

function _swift_scp_places
    set -l word (commandline -ct)
    if string match -q -- '*:*' $word
        _swift_scp_ask paths $word
    else
        set -l user (string match -r -- '^[^@]*@' $word)
        for host in (_swift_scp_ask hosts (string replace -r -- '^[^@]*@' '' $word))
            printf '%s%s:\n' $user $host
        end
    end
end
complete -c $command -a '(_swift_scp_places)'

complete -c $command -s r -d 'copy directories with all that is in them; symbolic links are followed'
complete -c $command -s p -d 'keep modes and times of modification and access'
complete -c $command -s l -x -d 'transfer at most so many Kbit a second, all files together'
complete -c $command -l bwlimit -x -d 'the same in bytes a second; 500K, 1.5M, 1G are understood'
complete -c $command -s T -d 'take the names that a server sends, whatever was asked for'
complete -c $command -l resume -d 'after an interrupted copy: copy what is missing, compare the rest'
complete -c $command -l atomic -d 'give a file its name when it is whole, so that nobody sees half of it'
complete -c $command -l fsync -d 'have every file on the target\'s disk before it is done'
complete -c $command -l verify -d 'compare SHA-256 hashes at both ends once a file is copied'
complete -c $command -l retries -x -d 'how often in a row a lost connection is made again to no avail (6)'
complete -c $command -l exclude -x -d 'leave out what matches, by the rules of gitignore; may be repeated'
complete -c $command -l include -x -d 'copy what matches although a pattern before leaves it out'
complete -c $command -l exclude-from -r -F -d 'leave out what the patterns in a file match, one a line'
complete -c $command -l max-depth -x -d 'go N levels deep; 1 for the files directly in the source alone'
complete -c $command -l min-size -x -d 'leave out smaller files; 10K, 1.5M, 2G are understood'
complete -c $command -l max-size -x -d 'leave out larger files'
complete -c $command -l newer-than -x -d 'leave out what was modified before; 90s, 10m, 2h, 3d, 1w ago, or a date'
complete -c $command -l older-than -x -d 'leave out what was modified since'
complete -c $command -l no-clobber -d 'leave alone what is at the target already'
complete -c $command -l update -d 'overwrite a file only where the source was modified later'
complete -c $command -l skip-unchanged -d 'skip files with the same size and time, as -p leaves them'
complete -c $command -l dry-run -d 'copy nothing: list what would be copied, size and path'
complete -c $command -s P -x -d 'connect to this port; 22 where nothing else is configured'
complete -c $command -s i -r -F -d 'log in with the private key in this file; may be repeated'
complete -c $command -s o -x -a 'AddKeysToAgent= AddressFamily= BatchMode= BindAddress= BindInterface= CanonicalDomains= CanonicalizeFallbackLocal= CanonicalizeHostname= CanonicalizeMaxDots= CanonicalizePermittedCNAMEs= CASignatureAlgorithms= CertificateFile= CheckHostIP= Ciphers= ClearAllForwardings= Compression= ConnectionAttempts= ConnectTimeout= ControlPath= FingerprintHash= ForwardAgent= GlobalKnownHostsFile= HashKnownHosts= HostKeyAlgorithms= HostKeyAlias= HostName= IdentitiesOnly= IdentityAgent= IdentityFile= IgnoreUnknown= IPQoS= KbdInteractiveAuthentication= KbdInteractiveDevices= KexAlgorithms= KnownHostsCommand= LogLevel= MACs= NoHostAuthenticationForLocalhost= NumberOfPasswordPrompts= PasswordAuthentication= Port= PreferredAuthentications= ProxyCommand= ProxyJump= PubkeyAcceptedAlgorithms= PubkeyAuthentication= RefuseConnection= RekeyLimit= RequiredRSASize= RevokedHostKeys= SendEnv= ServerAliveCountMax= ServerAliveInterval= SetEnv= StrictHostKeyChecking= Tag= TCPKeepAlive= UpdateHostKeys= User= UserKnownHostsFile= VersionAddendum= VisualHostKey= WarnWeakCrypto=' -d 'set an option of ssh_config, Name=value; may be repeated'
complete -c $command -s F -r -F -d 'read this configuration and no other; none for none at all'
complete -c $command -s J -x -a '(_swift_scp_ask hosts "")' -d 'go through this host, or these, with commas between'
complete -c $command -s 4 -d 'use IPv4 addresses only'
complete -c $command -s 6 -d 'use IPv6 addresses only'
complete -c $command -s A -d 'let the server use the agent (ssh-agent) during the copy'
complete -c $command -s B -d 'ask nothing: fail where a question would come up'
complete -c $command -s C -d 'compress what goes over the connection'
complete -c $command -s c -x -a '(__fish_complete_list , "printf %s\\\\n aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc 3des-cbc")' -d 'encrypt with this cipher, or the first of these that the server has'
complete -c $command -l connections -x -a 'auto 1 2 4 8' -d 'use so many connections to a server; auto: as many as help'
complete -c $command -l congestion -x -d 'control congestion in this way where the system allows it, such as bbr'
complete -c $command -s S -x -a '(__fish_complete_command)' -d 'have this program make the connections, as ssh does'
complete -c $command -s 3 -d 'between two servers: copy through this machine, which is the default'
complete -c $command -s R -d 'between two servers: have the first one copy to the second'
complete -c $command -s O -d 'copy by the SCP protocol in place of SFTP'
complete -c $command -s s -d 'copy by SFTP, and not by the SCP protocol where there is no SFTP'
complete -c $command -s D -x -a '(__fish_complete_command)' -d 'start this SFTP server here in place of connecting'
complete -c $command -s X -x -a 'nrequests= buffer=' -d 'nrequests=N: ask for so much at a time; buffer=BYTES: in pieces of this size'
complete -c $command -l json -d 'tell what happens on standard output, a line of JSON each, for programs'
complete -c $command -l stats -d 'tell at the end what was copied, skipped and left out, and how fast'
complete -c $command -l log -r -F -d 'add a line for each thing that happens to FILE'
complete -c $command -s v -d 'tell the steps; -vv more of them, -vvv every packet'
complete -c $command -s q -d 'show neither progress nor warnings'
complete -c $command -s G -d 'show the configuration that a host leads to, and copy nothing'
complete -c $command -s Q -x -a 'cipher cipher-auth compression help kex key key-ca-sign key-cert key-plain key-sig mac protocol-version sig' -d 'list what there is of cipher, kex, mac, key, key-sig and others; help lists the queries'
complete -c $command -s V -l version -d 'show the version'
complete -c $command -l help -d 'show this'
