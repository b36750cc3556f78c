extension Peer {
    /// Starts the SSH daemon of Erlang/OTP, which devices and Elixir programs are built on. It has SFTP and nothing else, and
    /// gives out a handle that is still open once a client holds some. Any user name will do.
    package static func erlang(_ address: Loopback = .ipv4) async throws -> Peer {
        let erlang = try requireProgram("erl")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-erlang")
        // It looks keys up by these names, in directories of its own.
        let system = try directory.makeDirectory("system", mode: 0o700)
        try writeFile("\(system)/ssh_host_ed25519_key", readFile(keys.hostKey(.ed25519)))
        try writeFile("\(system)/authorized_keys", readFile(keys.authorizedKeys))
        // Its virtual machine asks for a home directory.
        let script = directory.file("server.escript")
        try writeFile(script, text: erlangServer)
        return try await start(address: address, keys: keys, hostKeys: [.ed25519], directory: directory) { port in
            ServerCommand(
                program: erlang,
                arguments: [
                    "-boot", "no_dot_erlang", "-noinput", "-run", "escript", "start", "-extra", script, "\(address)",
                    "\(port)", system,
                ],
                readyMark: "erlang is listening")
        }
    }
}

/// For Erlang/OTP 25 and later. Arguments: address, port, the directory of the keys.
private let erlangServer = #"""
    #!/usr/bin/env escript
    main([Address, Port, Directory]) ->
        {ok, _} = application:ensure_all_started(ssh),
        {ok, Interface} = inet:parse_address(Address),
        Family = case tuple_size(Interface) of 4 -> inet; 8 -> inet6 end,
        Options = [Family, {system_dir, Directory}, {user_dir, Directory}, {auth_methods, "publickey"},
            {subsystems, [ssh_sftpd:subsystem_spec([])]}],
        case ssh:daemon(Interface, list_to_integer(Port), Options) of
            {ok, _} -> io:format(standard_error, "erlang is listening~n", []), receive stop -> ok end;
            {error, eaddrinuse} -> io:format(standard_error, "address in use~n", []), halt(1);
            {error, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
        end.

    """#
