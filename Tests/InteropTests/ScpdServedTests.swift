import Platform
import TestSupport
import Testing

@Suite("What scpd serves, and what it writes down of it", .timeLimit(.minutes(hangMinutes)))
struct ScpdServedTests {
    @Test("Read-only means that nothing is written, by either protocol")
    func readOnly() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let server = try await home.start(["--read-only"])
        for flags in [[], ["-O"]] {
            #expect(try await server.fetch("a", flags: flags).text == "content")
            let put = try await server.put("x", as: "a", flags: flags)
            // SFTP has no code for it.
            let reason = flags.isEmpty ? "Permission denied" : "ead-only file system"
            #expect(!put.succeeded && put.errorText.contains(reason), "\(put)")
            #expect(try await server.put("x", as: "new", flags: flags).succeeded == false)
        }
        #expect(try await run("ls", [home.root]).outputText == "a\n")
        #expect(try readText("\(home.root)/a") == "content")
        #expect(server.lines("file refused").count >= 2, "\(server.log)")
    }

    @Test("New keys in the middle of copies harm nothing, whoever's client it is", arguments: [[], ["-O"]])
    func rekeying(flags: [String]) async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--rekey-limit", "256K"])
        let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let source = home.directory.file("source")
        try writeFile(source, bytes)
        for program in ["scp", try scpBinary()] {
            let up = try await run(
                program, flags + server.client() + ["-v", source, "\(home.user)@127.0.0.1:large"])
            #expect(up.succeeded, "\(up)")
            // Without the limit there would be one. What is on its way when the server asks arrives before the answer.
            let exchanges = up.errorText.ranges(of: "SSH2_MSG_NEWKEYS received").count
            #expect(exchanges >= 3, "\(up.errorText)")
            let back = home.directory.file("back")
            let down = try await run(
                program, flags + server.client() + ["\(home.user)@127.0.0.1:large", back])
            #expect(down.succeeded, "\(down)")
            #expect(try readFile(back) == bytes)
        }
    }

    @Test("New files lack the bits of the mask", arguments: [[], ["-O"]])
    func mask(flags: [String]) async throws {
        let home = try await ScpdHome()
        let server = try await home.start(["--umask", "077"])
        let source = try home.write("source", "x")
        chmod(source, 0o755)
        let finished = try await run("scp", flags + server.client() + [source, "\(home.user)@127.0.0.1:new"])
        #expect(finished.succeeded, "\(finished)")
        var status = stat()
        #expect(stat("\(home.root)/new", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
    }

    @Test("Users with directories of their own do not see each other")
    func userRoots() async throws {
        let home = try await ScpdHome()
        for directory in ["root/users", "root/users/anna", "root/users/ben"] {
            try home.directory.makeDirectory(directory)
        }
        try home.serve("users/anna/a", "Anna's")
        try home.serve("users/ben/a", "Ben's")
        try home.serve("above", "of all")
        guard symlink("../ben/a", "\(home.root)/users/anna/out") == 0 else { throw SystemError("symlink") }
        guard symlink("/users/ben", "\(home.root)/users/anna/away") == 0 else { throw SystemError("symlink") }
        let server = try await home.start(["--any-user", "--user-root", "users/%u"])
        for flags in [[], ["-O"]] {
            for path in ["a", "/a", "../../a", "/../a"] {
                let anna = try await server.fetch(path, user: "anna", flags: flags)
                #expect(anna.text == "Anna's", "\(path): \(anna)")
                #expect(try await server.fetch(path, user: "ben", flags: flags).text == "Ben's")
            }
            for path in ["out", "away/a", "../ben/a", "/users/ben/a", "../../above"] {
                let fetched = try await server.fetch(path, user: "anna", flags: flags)
                #expect(fetched.text == nil, "\(path): \(fetched)")
            }
            let nobody = try await server.fetch("a", user: "carl", flags: flags)
            #expect(nobody.text == nil)
        }
        #expect(server.log.contains(#"reason="there is no directory for carl""#), "\(server.log)")
        #expect(try await server.put("x", as: "/new", user: "anna").succeeded)
        #expect(try readText("\(home.root)/users/anna/new") == "x")
    }

    /// The fields of a line of the log.
    private func fields(_ line: String?) -> [String: String] {
        var fields: [String: String] = [:]
        var rest = (line ?? "")[...]
        while let equals = rest.firstIndex(of: "=") {
            let name = rest[..<equals].split(separator: " ").last.map(String.init) ?? ""
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let character = rest.popFirst(), character != "\"" {
                    value.append(character == "\\" ? (rest.popFirst() ?? "\\") : character)
                }
            } else {
                value = String(rest.prefix { $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            fields[name] = value
        }
        return fields
    }

    @Test("Each log-in and each file has one line: who, whence, what, how much, how long and how it ended")
    func log() async throws {
        let home = try await ScpdHome()
        try home.directory.makeDirectory("root/dir")
        let server = try await home.start()
        let text = String(repeating: "0123456789", count: 1000)
        var count = 0
        // The client's end is no word that the line is there.
        func copied() async throws {
            count += 1
            try await server.waitForLines("file", count)
        }
        for (flags, path) in [([], "up"), (["-O"], "./dir//../up"), ([], "/dir/a b\"c"), (["-O"], "dir/")]
            as [([String], String)]
        {
            let put = try await server.put(text, as: path, flags: flags)
            #expect(put.succeeded, "\(put)")
            try await copied()
        }
        for flags in [[], ["-O"]] {
            #expect(try await server.fetch("up", flags: flags).text == text)
            try await copied()
        }
        try await server.waitForLines("connection ended", 6)
        let logins = server.lines("login").map(fields)
        #expect(logins.count == 6)
        let fingerprint = try await home.keygen("-l", "-f", home.keys.clientKey(.ed25519)).outputText.split(
            separator: " ")[1]
        for login in logins {
            #expect(login["user"] == home.user && login["address"] == "127.0.0.1" && login["method"] == "publickey")
            #expect(Int(login["port"] ?? "") ?? 0 > 0)
            #expect(login["key"] == "ED25519 \(fingerprint)")
        }
        let files = server.lines("file").map(fields)
        try #require(files.count == 6, "\(server.log)")
        for (index, file) in files.enumerated() {
            #expect(file["user"] == home.user && file["address"] == "127.0.0.1" && file["outcome"] == "complete")
            #expect(file["port"] == logins[index]["port"])
            #expect(Double(file["seconds"] ?? "").map { $0 >= 0 } == true)
            #expect(
                file["written"] == (index < 4 ? "10000" : "0") && file["read"] == (index < 4 ? "0" : "10000"), "\(file)"
            )
        }
        let paths = files.compactMap { $0["path"] }
        #expect(paths[0] == "/up" && paths[2] == "/dir/a b\"c" && paths[4] == "/up" && paths[5] == "/up", "\(paths)")
        #expect(paths[1] == "/dir/../up" && paths[3].hasPrefix("/dir/source."), "\(paths)")
        for line in server.log.split(separator: "\n") {
            let words = line.split(separator: " ")
            #expect(words[0].count == 24 && words[0].last == "Z", "\(line)")
            #expect(["info", "notice", "warning", "error"].contains(words[1]), "\(line)")
        }
    }

    @Test("Changes and refusals are written down; a shell, a program and a forwarding are refused")
    func refusals() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "x")
        guard symlink("/etc/passwd", "\(home.root)/leak") == 0 else { throw SystemError("symlink") }
        guard symlink("../../outside", "\(home.root)/out") == 0 else { throw SystemError("symlink") }
        let server = try await home.start()
        let batch = try home.write(
            "batch", "mkdir made\nrename a made/b\nln made/b c\nln -s made/b d\nchmod 640 c\nrm made/b\nrmdir made\n")
        let sftp = try await run("sftp", ["-b", batch] + server.client() + ["\(home.user)@127.0.0.1"])
        #expect(sftp.succeeded, "\(sftp)")
        try await server.waitForLines("connection ended", 1)
        let expected: [(operation: String, fields: [String: String])] = [
            ("mkdir", ["path": "/made"]), ("posix-rename", ["path": "/a", "to": "/made/b"]),
            ("hardlink", ["path": "/made/b", "to": "/c"]), ("symlink", ["path": "/d", "target": "made/b"]),
            ("setstat", ["path": "/c", "mode": "640"]), ("remove", ["path": "/made/b"]), ("rmdir", ["path": "/made"]),
        ]
        for (operation, wanted) in expected {
            let lines = server.lines(operation)
            let found = fields(lines.first)
            #expect(lines.count == 1 && found["user"] == home.user, "\(operation): \(server.log)")
            #expect(wanted.allSatisfy { found[$0.key] == $0.value }, "\(operation): \(found)")
        }
        for command in [["id"], [], ["rm -rf /"], ["scp -t /; id"]] {
            let finished = try await run("ssh", server.client() + ["\(home.user)@127.0.0.1"] + command)
            #expect(!finished.succeeded && !finished.outputText.contains("uid="), "\(finished)")
        }
        #expect(server.lines("request refused").count >= 3, "\(server.log)")
        for path in ["leak", "out"] {
            for flags in [[], ["-O"]] { #expect(try await server.fetch(path, flags: flags).text == nil) }
        }
        let forward = try await run(
            "ssh", ["-W", "127.0.0.1:\(server.port)"] + server.client() + ["\(home.user)@127.0.0.1"])
        #expect(!forward.succeeded && forward.errorText.contains("open failed"), "\(forward)")
    }

    @Test("A copy that is held to a low rate by our scp comes whole", arguments: [[], ["-O"]])
    func lowRate(flags: [String]) async throws {
        let home = try await ScpdHome()
        let bytes = noise(200_000)
        try writeFile("\(home.root)/f", bytes)
        let server = try await home.start()
        let target = home.directory.file("got")
        // The window is the smallest there is with 512 Kbit/s and less.
        let finished = try await run(
            scpBinary(), flags + ["-l", "500"] + server.client() + ["\(home.user)@127.0.0.1:f", target])
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(target) == bytes)
    }

    @Test("What goes wrong on the way is in the line of the file")
    func interrupted() async throws {
        let home = try await ScpdHome()
        try home.serve("big", "")
        // Hours' worth.
        guard truncate("\(home.root)/big", 8 << 30) == 0 else { throw SystemError("truncate") }
        let server = try await home.start()
        for flags in [[], ["-O"]] {
            let before = server.lines("file").count
            let target = home.directory.file("got")
            let client = try ChildProcess(
                requireProgram("scp"),
                flags + ["-l", "4000"] + server.client() + ["\(home.user)@127.0.0.1:big", target])
            try await eventually("the beginning of \(target)") { !((try? readFile(target)) ?? []).isEmpty }
            client.end()
            unlink(target)
            try await server.waitForLines("file", before + 1)
            let file = fields(server.lines("file").last)
            #expect(server.lines("file").count == before + 1, "\(server.log)")
            #expect(file["outcome"] != "complete" && file["path"] == "/big", "\(server.log)")
        }
    }

    @Test("On standard input and output it serves one SFTP session")
    func standard() async throws {
        let home = try await ScpdHome()
        try home.serve("a", "content")
        let batch = try home.write("batch", "pwd\nget /a \(home.directory.file("got"))\nput a new\n")
        let finished = try await run(
            "sftp", ["-b", batch, "-D", "\(scpdBinary()) --sftp --root \(home.root)"], directory: home.root)
        #expect(finished.succeeded && finished.outputText.contains("Remote working directory: /"), "\(finished)")
        #expect(try readText(home.directory.file("got")) == "content")
        #expect(try readText("\(home.root)/new") == "content")
        let refused = try await run(
            "sftp", ["-b", home.write("rm", "rm a\n"), "-D", "\(scpdBinary()) --sftp --read-only --root \(home.root)"])
        #expect(!refused.succeeded, "\(refused)")
        #expect(try readText("\(home.root)/a") == "content")
    }
}
