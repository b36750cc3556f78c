# fish completion for scpd of swift-scp. Made from the table of options: not to be edited.
# For the command that the file is called like.
set -l command (status basename | string replace -r '\.fish$' '')

# Asks the command, with the options that were typed before.
function _swift_scpd_ask
    set -l words (commandline -opc)
    set -l given
    set -l wanted no
    for word in $words[2..-1]
        if test $wanted = yes
            set -a given $word
            set wanted no
        else if string match -qr -- '^-' $word
            set -a given $word
            if contains -- $word --listen --port --root --user-root --umask --host-key --host-certificate --authorized-keys --trusted-user-ca-keys --revoked-keys --password-file --methods --banner --max-connections --max-startups --login-grace --max-auth-tries --max-sessions --idle-timeout --keepalive --congestion --stop-timeout --rekey-limit --kex-algorithms --ciphers --macs --hash-password
                set wanted yes
            else if string match -qr -- '^-[^-]*[-]$' $word
                set wanted yes
            end
        end
    end
    if test $wanted = yes
        set -e given[-1]
    end
    command $words[1] $given --complete $argv[1] -- "$argv[2]" 2>/dev/null
end

complete -c $command -f

complete -c $command -l listen -x -d 'listen here: 192.0.2.1, ::1, 192.0.2.1:2022, [::1]:2022; may be repeated'
complete -c $command -l port -x -d 'the port of addresses given without one (2222); 0 for any free one'
complete -c $command -l root -r -F -d 'serve this directory (the working directory); `/` for the whole machine'
complete -c $command -l user-root -x -d 'serve each user a directory of his own: %u is the user\'s name, relative to --root'
complete -c $command -l read-only -d 'let nobody change anything'
complete -c $command -l umask -x -d 'permission bits that new files do not get, in octal (the process\'s)'
complete -c $command -l host-key -r -F -d 'a private key of this server; may be repeated. Without one a key is made on first start, and kept'
complete -c $command -l host-certificate -r -F -d 'a certificate of a host key; may be repeated'
complete -c $command -l authorized-keys -r -F -d 'the keys of those who are let in (~/.ssh/authorized_keys); %u is the user\'s name'
complete -c $command -l trusted-user-ca-keys -r -F -d 'authorities whose certificates let users in'
complete -c $command -l revoked-keys -r -F -d 'keys and certificates that let nobody in: a list or a KRL'
complete -c $command -l password-file -r -F -d 'users and the hashes of their passwords, see --hash-password'
complete -c $command -l methods -x -d 'what a user has to pass, such as publickey,password; alternatives with spaces between'
complete -c $command -l any-user -d 'take any user name together with a key of --authorized-keys'
complete -c $command -l banner -r -F -d 'a text shown before log-in'
complete -c $command -l max-connections -x -d 'connections at a time (1000)'
complete -c $command -l max-startups -x -d 'connections before log-in: from BEGIN on PERCENT of new ones are refused, all at FULL (10:30:100)'
complete -c $command -l login-grace -x -d 'how long logging in may take (120)'
complete -c $command -l max-auth-tries -x -d 'failed attempts on a connection (6)'
complete -c $command -l max-sessions -x -d 'channels of a connection at a time (16)'
complete -c $command -l idle-timeout -x -d 'end connections that carry nothing for so long (never)'
complete -c $command -l keepalive -x -d 'ask a silent client whether it is there; 0 for never (60)'
complete -c $command -l congestion -x -d 'control congestion in this way where the system allows it, such as bbr'
complete -c $command -l no-penalties -d 'do not refuse addresses for a while after failed log-ins'
complete -c $command -l stop-timeout -x -d 'how long transfers may go on after SIGTERM (30)'
complete -c $command -l rekey-limit -x -d 'new keys after so many bytes, with K, M or G (the cipher\'s own limit)'
complete -c $command -l kex-algorithms -x -a '(__fish_complete_list , "printf %s\\\\n mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256 curve25519-sha256@libssh.org diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group14-sha256 diffie-hellman-group-exchange-sha1 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1")' -d 'key exchange methods, best first'
complete -c $command -l ciphers -x -a '(__fish_complete_list , "printf %s\\\\n aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc 3des-cbc")' -d 'ciphers, best first'
complete -c $command -l macs -x -a '(__fish_complete_list , "printf %s\\\\n umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1")' -d 'message authentication codes, best first'
complete -c $command -l no-confinement -d 'keep rights that serving does not need (Linux: Landlock)'
complete -c $command -l verbose -d 'log the steps of each connection too'
complete -c $command -l sftp -d 'serve one SFTP session on standard input and output, as sftp-server does'
complete -c $command -l hash-password -x -d 'read a password and print the user\'s line for --password-file'
complete -c $command -l version -d 'show the version'
complete -c $command -l help -d 'show this'
