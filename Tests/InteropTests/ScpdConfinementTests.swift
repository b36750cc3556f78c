#if os(Linux)
    import CSystemCalls
    import Glibc
    import TestSupport
    import Testing

    @Suite("How scpd confines itself", .timeLimit(.minutes(hangMinutes)))
    struct ScpdConfinementTests {
        private static let version = Int(scp_landlock_version())

        @Test(
            "All its threads are held to its root and its lists",
            .enabled(if: version >= 2, "this kernel's Landlock is of version \(version)"))
        func threads() async throws {
            let home = try await ScpdHome()
            try home.serve("a", "content")
            try home.directory.makeDirectory("keys")
            try home.directory.makeDirectory("elsewhere")
            let list = home.directory.file("keys/list")
            let key = try readText(home.keys.clientKey(.ed25519) + ".pub")
            try writeFile(list, text: key)
            try writeFile(home.directory.file("elsewhere/list"), text: key)
            for isConfined in [true, false] {
                let options = ["--authorized-keys", list, "--no-penalties", "--verbose"]
                let server = try await home.start(options + (isConfined ? [] : ["--no-confinement"]))
                #expect(server.log.contains("confined by Landlock version") == isConfined, "\(server.log)")
                #expect(try await server.fetch("a").text == "content")
                for flags in [[], ["-O"]] {
                    #expect(try await server.put("x", as: "new", flags: flags).succeeded, "\(server.log)")
                }
                // Its threads inherit what the first of them gave up.
                let tasks = try await run("sh", ["-c", "cat /proc/\(server.process.pid)/task/*/status"]).outputText
                let states = tasks.split(separator: "\n").filter { $0.hasPrefix("NoNewPrivs:") }
                #expect(states.count > 2)
                #expect(states.allSatisfy { $0.hasSuffix(isConfined ? "1" : "0") }, "\(states)")
                // The list is replaced, in its own directory: that is read. Then it leads elsewhere.
                try writeFile(list + ".new", text: "# " + key + key)
                guard rename(list + ".new", list) == 0 else { throw SystemError("rename") }
                #expect(try await server.fetch("a").text == "content", "\(server.log)")
                unlink(list)
                guard symlink("../elsewhere/list", list) == 0 else { throw SystemError("symlink") }
                #expect((try await server.fetch("a").text == nil) == isConfined, "\(server.log)")
                #expect(server.log.contains("Permission denied") == isConfined, "\(server.log)")
                unlink(list)
                try writeFile(list, text: key)
            }
        }

        @Test(
            "Names between directories are changed, attributes set and users named as without",
            .enabled(if: version >= 2, "this kernel's Landlock is of version \(version)"))
        func changes() async throws {
            let home = try await ScpdHome()
            try home.serve("a", "content")
            let server = try await home.start()
            let batch = try home.write(
                "batch",
                "mkdir d\nrename a d/b\nln d/b c\nln -s d/b s\nchmod 640 c\nls -l c\ndf\nrm d/b\nrmdir d\nget c /dev/null\n"
            )
            let sftp = try await run("sftp", ["-b", batch] + server.client() + ["\(home.user)@127.0.0.1"])
            #expect(sftp.succeeded, "\(sftp)")
            #expect(sftp.outputText.contains("-rw-r-----") && sftp.outputText.contains(" \(home.user) "), "\(sftp)")
        }

        @Test(
            "scp holds itself to its target, and writes through a link all the same",
            .enabled(if: version >= 2, "this kernel's Landlock is of version \(version)"))
        func copies() async throws {
            let home = try await ScpdHome()
            try home.serve("a", "content")
            try home.directory.makeDirectory("into")
            try home.directory.makeDirectory("elsewhere")
            let (into, elsewhere) = (home.directory.file("into"), home.directory.file("elsewhere"))
            let server = try await home.start()
            let login = "\(home.user)@127.0.0.1"
            // Known hosts are kept in a directory that is still to be made.
            let known = home.directory.file("new/known_hosts")
            func copy(_ words: [String], _ environment: [String: String?] = [:]) async throws -> Finished {
                let options = try server.client(["StrictHostKeyChecking=accept-new"], knownHosts: known)
                return try await run(scpBinary(), ["-v"] + options + words, environment: environment)
            }
            for flags in [[], ["-O"]] {
                let down = try await copy(flags + ["\(login):a", into])
                #expect(down.succeeded && down.errorText.contains("confined by Landlock version"), "\(down)")
                let up = try await copy(flags + ["\(into)/a", "\(login):b"])
                #expect(up.succeeded && up.errorText.contains("confined by Landlock version"), "\(up)")
            }
            #expect(try !readText(known).isEmpty)
            unlink("\(into)/a")
            guard symlink("\(elsewhere)/a", "\(into)/a") == 0 else { throw SystemError("symlink") }
            let linked = try await copy(["\(login):a", into])
            #expect(linked.succeeded, "\(linked)")
            #expect(try readText("\(elsewhere)/a") == "content")
            let proxied = try await copy(["-oProxyCommand=nc 127.0.0.1 \(server.port)", "\(login):a", into])
            #expect(proxied.errorText.contains("not confined: ProxyCommand runs a program"), "\(proxied)")
        }
    }
#endif
