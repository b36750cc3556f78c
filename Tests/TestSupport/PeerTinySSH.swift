extension Peer {
    /// Starts the installed `tinysshd`, whose only algorithms are Ed25519, Curve25519, sntrup761 and ChaCha20-Poly1305; it
    /// runs the `scp` that the login shell finds, and OpenSSH's `sftp-server` as its SFTP subsystem.
    ///
    /// It serves one connection on its standard input, as from inetd; a loop in Python accepts them. It reads
    /// `authorized_keys` in the home directory only, so it gets one of its own by `SyntheticAccounts`, whose `reason` has to
    /// be nil; that shows up as `/mnt`, as nothing above it may be open to others.
    ///
    /// - Parameter options: more of its command-line options.
    package static func tinySSH(_ address: Loopback = .ipv4, options: [String] = []) async throws -> Peer {
        let tinysshd = try requireProgram("tinysshd")
        let python = try requireProgram("python3")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-tinysshd")
        let home = try directory.makeDirectory("home")
        try directory.makeDirectory("home/.ssh", mode: 0o700)
        // It is confused by keys of other types.
        let line = try readText(keys.clientKey(.ed25519) + ".pub")
        try writeFile("\(home)/.ssh/authorized_keys", text: line)
        let script = directory.file("server.py")
        try writeFile(script, text: tinySSHLoop)
        var accounts = SyntheticAccounts()
        accounts.home = "/mnt"
        let wrapper = try accounts.wrapper(in: directory)
        return try await start(address: address, keys: keys, hostKeys: [.ed25519], directory: directory) { port in
            let command =
                wrapper + [
                    "/bin/sh", "-c", #"mount --bind "$0" /mnt && exec "$@""#, home, python, script, "\(address)",
                    "\(port)", keys.hostKey(.ed25519), directory.file("keys"), tinysshd,
                ] + options
            return ServerCommand(
                program: command[0], arguments: Array(command.dropFirst()), readyMark: "tinysshd is served")
        }
    }

    /// Whether it can be started here.
    package static var tinySSHIsAvailable: Bool { findProgram("tinysshd") != nil && SyntheticAccounts.areAvailable }
}

/// Arguments: address, port, the host key, a directory for it in tinysshd's form, tinysshd and its options.
private let tinySSHLoop = #"""
    import base64, os, signal, struct, subprocess, sys, threading

    \#(pythonListener)

    # By this tinysshd ends what is not logged in after a minute, which a busy machine takes.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})

    address, port, host_key, directory = sys.argv[1:5]


    def log(*words):
        print(*words, file=sys.stderr, flush=True)


    # The seed and the public key are the last 64 bytes before the comment in OpenSSH's file.
    def read_string(data):
        count = struct.unpack(">I", data[:4])[0]
        return data[4:4 + count], data[4 + count:]


    with open(host_key) as file:
        rest = base64.b64decode("".join(line for line in file if not line.startswith("-")))[15:]
    for _ in range(3):
        _, rest = read_string(rest)
    _, rest = read_string(rest[4:])
    rest = read_string(rest)[0][8:]
    for _ in range(2):
        _, rest = read_string(rest)
    secret = read_string(rest)[0]
    os.makedirs(directory, exist_ok=True)
    with open(directory + "/.ed25519.sk", "wb") as file:
        file.write(secret)
    with open(directory + "/ed25519.pk", "wb") as file:
        file.write(secret[32:])

    places = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server")
    sftp = ["-x", "sftp=" + place] if (place := next(filter(os.path.exists, places), None)) else []

    listener = listen(address, port)
    log("tinysshd is served")
    while True:
        connection, _ = listener.accept()
        child = subprocess.Popen(
            [sys.argv[5], "-v", *sftp, *sys.argv[6:], "--", directory], stdin=connection, stdout=connection)
        connection.close()
        threading.Thread(target=child.wait, daemon=True).start()
    """#
