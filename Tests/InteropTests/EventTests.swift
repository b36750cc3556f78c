import Foundation
import TestSupport
import Testing

/// What `docs/events.schema.json` says of a line: as much of JSON Schema as that file uses.
private struct Schema {
    private let root: [String: Any]

    init() throws {
        let path = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/docs/events.schema.json"
        let object = try JSONSerialization.jsonObject(with: Data(readFile(at: path)))
        root = try #require(object as? [String: Any])
    }

    private var kinds: [[String: Any]] { root["oneOf"] as? [[String: Any]] ?? [] }

    /// The events it knows.
    var events: Set<String> { Set(kinds.compactMap { property("event", of: $0)?["const"] as? String }) }

    private func property(_ name: String, of schema: [String: Any]) -> [String: Any]? {
        (schema["properties"] as? [String: Any])?[name] as? [String: Any]
    }

    /// What is wrong with a line; nil if nothing is.
    func fault(of object: [String: Any]) -> String? {
        let fitting = kinds.filter { property("event", of: $0)?["const"] as? String == object["event"] as? String }
        guard fitting.count == 1 else { return "no such event" }
        let both = [root, fitting[0]]
        for name in both.flatMap({ $0["required"] as? [String] ?? [] }) where object[name] == nil {
            return "no \(name)"
        }
        for (name, value) in object {
            let rules = both.compactMap { property(name, of: $0) }
            if rules.isEmpty { return "\(name) is not known" }
            for rule in rules where !fits(value, rule) { return "\(name) is \(value)" }
        }
        return nil
    }

    private func fits(_ value: Any, _ rule: [String: Any]) -> Bool {
        if let words = rule["enum"] as? [String] { return (value as? String).map(words.contains) ?? false }
        if let word = rule["const"] as? String { return value as? String == word }
        // A number that is none of a truth value: both are NSNumber here.
        let isFlag = (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false
        switch rule["type"] as? String {
        case "string": return value is String
        case "boolean": return isFlag
        case "integer":
            guard !isFlag, let number = value as? Int else { return false }
            return number >= rule["minimum"] as? Int ?? .min
        default: return false
        }
    }
}

@Suite("Events for programs (--json, --log)")
struct EventTests {
    /// The events of a command, each of which fits the schema.
    private func events(_ finished: Finished) throws -> [[String: Any]] {
        let schema = try Schema()
        return try finished.output.split(separator: 10).map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            let fault = schema.fault(of: object)
            #expect(fault == nil, "\(String(decoding: line, as: UTF8.self))")
            return object
        }
    }

    private func names(_ events: [[String: Any]]) -> [String] { events.compactMap { $0["event"] as? String } }

    @Test("A copy tells of each file, of what goes wrong, and what came of it all", arguments: CopyHost.allCases)
    func copies(host: CopyHost) async throws {
        let server = try await host.start()
        let tree = treeOfSmallFiles(120)
        try makeTree(tree, at: server.path(.here, "original"))
        for (isUpload, from, to) in [(true, "original", "copy"), (false, "copy", "back")] {
            let finished = try await server.copy(
                up: isUpload, from, to, port: server.port, ["--json", "--verify", "-r", "-p"])
            #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
            let events = try events(finished)
            for name in ["start", "verified", "finished"] { #expect(names(events).count { $0 == name } == 120) }
            #expect(Set(events.compactMap { $0["file"] as? Int }) == Set(1...120))
            let summary = try #require(events.last)
            #expect(summary["event"] as? String == "summary" && summary["status"] as? Int == 0)
            #expect(summary["files"] as? Int == 120 && summary["verified"] as? Int == 120)
            #expect(summary["errors"] as? Int == 0)
            #expect(summary["bytes"] as? Int == events.reduce(0) { $0 + ($1["size"] as? Int ?? 0) })
        }
        #expect(differences(tree, try readTree(at: server.path(.here, "back")), attributes: true) == [])
    }

    @Test("A dry run tells of each file that would be copied, and what is left out and skipped is counted")
    func choosing() async throws {
        let server = try await CopyHost.openSSH.start()
        try makeTree(
            .named(["a": .file([1]), "b": .file([1, 2]), "c.o": .file([3])]), at: server.path(.here, "original"))
        let options = ["--json", "-r", "-p", "--exclude=*.o", "--skip-unchanged"]
        let plan = try await server.copy(up: true, "original", "copy", port: server.port, options + ["--dry-run"])
        let planned = try events(plan)
        #expect(plan.succeeded && names(planned) == ["planned", "planned", "summary"], "\(plan)")
        #expect(planned.last?["bytes"] as? Int == 3)
        for (files, skipped) in [(2, 0), (0, 2)] {
            let finished = try await server.copy(up: true, "original/.", "copy/", port: server.port, options)
            let summary = try #require(try events(finished).last)
            #expect(summary["files"] as? Int == files && summary["skipped"] as? Int == skipped, "\(finished)")
            #expect(summary["leftOut"] as? Int == 1, "\(finished)")
        }
    }

    @Test("What goes wrong has a code and the same message as for a person")
    func errors() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let directory = peer.directory
        try writeFile([1], at: directory.file("there"))
        for (operands, code, path) in [
            ([directory.file("missing"), peer.remote("x")], "no-such-file", directory.file("missing")),
            ([peer.remote("missing"), directory.file("x")], "no-such-file", directory.file("missing")),
            ([directory.file("there"), peer.remote("no/where/")], "no-such-file", directory.file("no/where/")),
        ] {
            let finished = try await peer.scp(["--json"], operands)
            #expect(finished.status == .exited(1))
            let events = try events(finished)
            #expect(names(events) == ["error", "summary"], "\(finished)")
            let error = try #require(events.first)
            #expect(error["code"] as? String == code && error["path"] as? String == path, "\(finished)")
            #expect(finished.errorText == "scp: \(error["message"] as? String ?? "")\n")
        }
        let nobody = try await peer.scp(["--json", "-oUser=nobody-here"], [directory.file("there"), "127.0.0.1:x"])
        #expect(try events(nobody).first?["code"] as? String == "login-refused", "\(nobody)")
        let talker = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["ForceCommand echo hello"])
        let nonsense = try await talker.scp(["--json", "-O"], [talker.remote("x"), directory.file("x")])
        #expect(try events(nonsense).first?["code"] as? String == "protocol", "\(nonsense)")
        let nowhere = try await peer.scp(["--json"], [directory.file("there"), "127.0.0.1:x"], port: 1)
        let events = try events(nowhere)
        #expect(events.first?["code"] as? String == "unreachable", "\(nowhere)")
        #expect(events.last?["status"] as? Int == 255)
    }

    @Test("A connection that is lost shows, and names that are no text keep their bytes")
    func reconnection() async throws {
        let server = try await CopyHost.openSSH.start()
        let relay = try Relay(to: server.port, fault: .cut(.toServer, after: 3_000_000, reset: true))
        let name: [UInt8] = [0x61, 0xff, 0x22]
        try makeTree(
            .directory([name: .file(noise(5_000_000))]), at: server.path(.here, "original"))
        let finished = try await server.copy(
            up: true, "original", "copy", port: relay.port, ["--json", "-r", "-oServerAliveInterval=0"])
        #expect(finished.succeeded, "\(finished)")
        let events = try events(finished)
        #expect(names(events).contains("retry") && names(events).contains("interrupted"))
        #expect(events.last?["status"] as? Int == 0)
        let start = try #require(events.first { $0["event"] as? String == "start" })
        #expect((start["pathBytes"] as? String)?.hasSuffix("2f61ff22") == true, "\(start)")
    }

    @Test("A log has a line for each event, is added to, and one that cannot be written ends the command")
    func log() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let (file, log) = (peer.directory.file("original"), peer.directory.file("log"))
        try writeFile([1, 2, 3], at: file)
        for _ in 0..<2 {
            let finished = try await peer.scp(["--log", log], [file, peer.remote("copy")])
            #expect(finished.succeeded && finished.output.isEmpty, "\(finished)")
        }
        let words = try readText(log).split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(words.map { $0.dropFirst().first } == ["start", "finished", "summary", "start", "finished", "summary"])
        #expect(words.allSatisfy { $0[0].hasPrefix("20") && $0[0].hasSuffix("Z") })
        let refused = try await peer.scp(["--log", "/no/where"], [file, peer.remote("other")])
        expectFailure(refused, "/no/where: No such file or directory", status: 1)
        let full = try await run(
            "/bin/sh",
            ["-c", "exec \"$@\" >/dev/full", "sh", scpBinary(), "--json"] + peer.clientOptions() + [
                file, peer.remote("copy"),
            ])
        expectFailure(full, "standard output: No space left on device", status: 1)
    }

    @Test("The manual's page has every event of the schema")
    func page() throws {
        let path = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/docs/events.md"
        let page = try readText(path)
        for event in try Schema().events { #expect(page.contains("| `\(event)` |"), "\(event)") }
    }
}
