import TestSupport
import Testing

@testable import SCPCommand

@Suite("Where an operand leads")
struct LocationTests {
    private static let table: [(String, Location)] = [
        ("a", .local(Array("a".utf8))),
        ("", .local([])),
        ("./a:b", .local(Array("./a:b".utf8))),
        ("a/b:c", .local(Array("a/b:c".utf8))),
        ("/a:b", .local(Array("/a:b".utf8))),
        (":a", .local(Array(":a".utf8))),
        ("[a:b", .local(Array("[a:b".utf8))),
        ("[::1]x:y", .local(Array("[::1]x:y".utf8))),
        ("[::1:x", .local(Array("[::1:x".utf8))),
        ("a:b", remote(nil, "a", "b")),
        ("a:b:c", remote(nil, "a", "b:c")),
        ("h:", remote(nil, "h", ".")),
        ("h:/a b/c", remote(nil, "h", "/a b/c")),
        ("h:~/x", remote(nil, "h", "~/x")),
        ("h:-x", remote(nil, "h", "-x")),
        ("u@h:x", remote("u", "h", "x")),
        ("u@h@i:x", remote("u@h", "i", "x")),
        ("@h:x", remote(nil, "h", "x")),
        ("[h]:x", remote(nil, "h", "x")),
        ("[::1]:x", remote(nil, "::1", "x")),
        ("u@[::1]:x", remote("u", "::1", "x")),
        ("[fe80::1%eth0]:/x:y", remote(nil, "fe80::1%eth0", "/x:y")),
        ("a b:c", remote(nil, "a b", "c")),
        ("scp:x", remote(nil, "scp", "x")),
        ("scp:/x", remote(nil, "scp", "/x")),
        ("ssh://h/x", remote(nil, "ssh", "//h/x")),
        ("scp://h", remote(nil, "h", ".")),
        ("scp://h/", remote(nil, "h", ".")),
        ("scp://h/x", remote(nil, "h", "x")),
        ("scp://h//x", remote(nil, "h", "/x")),
        ("scp://u@h:2222/a%20b+c", remote("u", "h", "a b c", port: 2222)),
        ("scp://u%40v;x=y@h.net/~/x", remote("u@v", "h.net", "~/x")),
        ("scp://h:", remote(nil, "h", ".")),
        ("scp://h:/x", .invalid("scp://h:/x: invalid uri")),
        ("scp://h:22", remote(nil, "h", ".", port: 22)),
        ("scp://", .invalid("scp://: invalid uri")),
        ("scp:///x", .invalid("scp:///x: invalid uri")),
        ("scp://@h/x", .invalid("scp://@h/x: invalid uri")),
        ("scp://h:x/y", .invalid("scp://h:x/y: invalid uri")),
        ("scp://h:0/y", .invalid("scp://h:0/y: invalid uri")),
        ("scp://h:65536/y", .invalid("scp://h:65536/y: invalid uri")),
        ("scp://h/%", .invalid("scp://h/%: invalid uri")),
        ("scp://h/%4", .invalid("scp://h/%4: invalid uri")),
        ("scp://h/%00", .invalid("scp://h/%00: invalid uri")),
        ("scp://h/%zz", .invalid("scp://h/%zz: invalid uri")),
        ("scp://h;x/y", .invalid("scp://h;x/y: invalid uri")),
        ("scp://[::1/y", .invalid("scp://[::1/y: invalid uri")),
    ]

    private static func remote(_ user: String?, _ host: String, _ path: String, port: Int? = nil) -> Location {
        .remote(Location.Remote(user: user, host: host, port: port, path: Array(path.utf8)))
    }

    @Test("An IPv6 address in a URI is in brackets")
    func addressInURI() {
        #expect(Location(Array("scp://[::1]:22/x".utf8)) == Self.remote(nil, "::1", "x", port: 22))
    }

    @Test("User names with quotes, blanks, number signs or other letters than ASCII's are refused")
    func users() {
        for user in ["a b", "a'", "a\"", "`a`", "a#", "ü"] {
            #expect(Location(Array("\(user)@h:x".utf8)) == .invalid("\(user): invalid user name"))
        }
    }

    @Test("Local or remote, with user, host and path", arguments: table)
    func operands(text: String, location: Location) { #expect(Location(Array(text.utf8)) == location) }

    @Test("Paths need not be UTF-8")
    func bytes() {
        #expect(Location([0xff, 0xfe]) == .local([0xff, 0xfe]))
        #expect(
            Location([104, 58, 0xff, 0]) == .remote(Location.Remote(user: nil, host: "h", path: [0xff, 0])))
    }

    /// What the installed scp makes of an operand, seen from the program it runs in place of ssh.
    @Test(
        "The installed scp takes operands apart in the same way", .enabled(if: findProgram("scp") != nil),
        arguments: table.filter { !$0.0.isEmpty })
    func installed(text: String, location: Location) async throws {
        let directory = try TemporaryDirectory()
        for name in ["source", "note"] { try writeFile(directory.file(name), text: "") }
        try directory.makeDirectory("a")
        try writeFile(
            directory.file("program"),
            text: "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >'\(directory.file("note"))'\nexit 1\n",
            mode: 0o755)
        _ = try await run(
            "scp", ["-O", "-S", directory.file("program"), "--", "source", text], directory: directory.path)
        let words = try readFile(directory.file("note")).split(separator: 10, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }.dropLast()
        guard case .remote(let remote) = location else {
            #expect(words.isEmpty)
            return
        }
        let dash = try #require(words.lastIndex(of: "--"))
        let user = words.firstIndex(of: "-l").map { words[$0 + 1] }
        #expect(user == remote.user)
        #expect(words.firstIndex(of: "-p").map { words[$0 + 1] } == remote.port.map { String($0) })
        #expect(words[dash + 1] == remote.host)
        let dashes = remote.path.first == UInt8(ascii: "-") ? "-- " : ""
        #expect(words[dash + 2] == "scp -t \(dashes)\(String(decoding: remote.path, as: UTF8.self))")
    }
}
