extension Peer {
    /// Starts a server made with Paramiko, the library for Python: it runs commands, `scp -t` and `-f` among them, as the
    /// current user, and OpenSSH's `sftp-server` as its SFTP subsystem. Any user name will do.
    ///
    /// - Parameters:
    ///   - keyExchanges: the only ones it has; nil for its own choice.
    ///   - ciphers: the same for ciphers.
    ///   - macs: the same for MACs.
    package static func paramiko(
        _ address: Loopback = .ipv4, hostKeys: [TestKeyType] = [.ed25519, .ecdsa256, .rsa],
        keyExchanges: [String]? = nil,
        ciphers: [String]? = nil, macs: [String]? = nil
    ) async throws -> Peer {
        let python = try requirePython(with: "paramiko")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-paramiko")
        let script = directory.file("server.py")
        try writeFile(script, text: paramikoServer)
        return try await start(address: address, keys: keys, hostKeys: hostKeys, directory: directory) { port in
            var arguments = ["-W", "ignore", script, "\(address)", "\(port)", keys.authorizedKeys]
            for list in [keyExchanges, ciphers, macs] { arguments.append((list ?? []).joined(separator: ",")) }
            return ServerCommand(
                program: python, arguments: arguments + hostKeys.map(keys.hostKey),
                readyMark: "paramiko is listening")
        }
    }

    /// A Python that has a module: Debian's packages are for the system's own, which need not be the first in `PATH`.
    package static func requirePython(with module: String) throws -> String {
        for python in ["/usr/bin/python3", findProgram("python3")].compactMap(\.self) {
            let probe = try? ChildProcess(python, ["-W", "ignore", "-c", "import \(module)"])
            if probe?.wait() == .exited(0) { return python }
        }
        throw TestSupportError("\(module) is not installed: Scripts/setup.sh installs what the tests need")
    }
}

/// For Python 3 and Paramiko 2.12 and later. Arguments: address, port, authorized keys, key exchanges, ciphers, MACs, and
/// the files of its host keys.
private let paramikoServer = #"""
    import os, socket, subprocess, sys, threading
    import paramiko

    \#(pythonListener)

    address, port, authorized_keys, kex, ciphers, macs = sys.argv[1:7]
    with open(authorized_keys) as file:
        authorized = {line.split()[1] for line in file if line.strip()}


    def log(*words):
        print(*words, file=sys.stderr, flush=True)


    def read_key(path):
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key_file(path)
            except paramiko.SSHException:
                pass
        raise SystemExit("no key in " + path)


    host_keys = [read_key(path) for path in sys.argv[7:]]


    def run(channel, command):
        child = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

        def feed():
            try:
                while data := channel.recv(65536):
                    view = memoryview(data)
                    while view:
                        view = view[child.stdin.write(view):]
                child.stdin.close()
            except OSError:
                pass

        def drain(source, send):
            try:
                while data := source.read(65536):
                    send(data)
            except OSError:
                pass

        threading.Thread(target=feed, daemon=True).start()
        errors = threading.Thread(target=drain, args=(child.stderr, channel.sendall_stderr), daemon=True)
        errors.start()
        drain(child.stdout, channel.sendall)
        errors.join()
        channel.send_exit_status(child.wait())
        channel.close()


    class Server(paramiko.ServerInterface):
        def get_allowed_auths(self, username):
            return "publickey"

        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL if key.get_base64() in authorized else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, channel):
            return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

        def check_channel_env_request(self, channel, name, value):
            return False

        def check_channel_exec_request(self, channel, command):
            log("command:", command)
            threading.Thread(target=run, args=(channel, command), daemon=True).start()
            return True

        def check_channel_subsystem_request(self, channel, name):
            places = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server")
            found = [place for place in places if os.access(place, os.X_OK)]
            if name != "sftp" or not found:
                return False
            threading.Thread(target=run, args=(channel, found[0]), daemon=True).start()
            return True


    def serve(connection):
        transport = paramiko.Transport(connection)
        # Its own are of seconds, which a busy machine takes.
        transport.banner_timeout = transport.handshake_timeout = transport.clear_to_send_timeout = 600
        options = transport.get_security_options()
        if kex:
            options.kex = tuple(kex.split(","))
        if ciphers:
            options.ciphers = tuple(ciphers.split(","))
        if macs:
            options.digests = tuple(macs.split(","))
        for key in host_keys:
            transport.add_server_key(key)
        try:
            transport.start_server(server=Server())
            # A channel that nobody holds is closed.
            channels = []
            while transport.is_active():
                channels.append(transport.accept(1))
        except (paramiko.SSHException, EOFError, OSError) as error:
            log("connection ended:", error)
            transport.close()


    listener = listen(address, port)
    log("paramiko is listening")
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
    """#
