import Platform
import SSHConfig
import TestSupport
import Testing

@testable import SCPCommand

@Suite("What a copy leaves itself")
struct CopyConfinementTests {
    private func confinement(
        _ arguments: [String], _ change: (inout ClientOptions) -> Void = { _ in }, variables: [String: String] = [:]
    ) throws -> CopyConfinement {
        var host = ClientOptions(host: "host", account: LocalAccount(name: "me", home: "/none/home")) { _ in nil }
        change(&host)
        return CopyConfinement(try CopyOptions(arguments.map(bytes)), [host]) { variables[$0] }
    }

    @Test("is where its files go, and what a login reads")
    func downloads() throws {
        let directory = try TemporaryDirectory()
        let copy = try confinement(["host:a", directory.path]) {
            $0.identityFiles = ["/usr/id"]
            $0.userKnownHostsFiles = [directory.file("known")]
        }
        let rights = try #require(copy.rights())
        #expect(rights.reads.contains(bytes("/usr")) && rights.reads.contains(bytes("/etc/resolv.conf")))
        #expect(!rights.reads.contains(bytes("/")) && !rights.writes.contains(bytes("/")))
        #expect(rights.writes.contains { String(decoding: $0, as: UTF8.self).hasSuffix(directory.path) })
        #expect(rights.runs.isEmpty && rights.usesTCP)
    }

    @Test("is all files to read, and none to write but known hosts, where files are sent")
    func uploads() throws {
        let rights = try #require(try confinement(["a", "host:"]) { $0.userKnownHostsFiles = [] }.rights())
        #expect(rights.reads.contains(bytes("/")) && rights.writes == [bytes("/dev/tty")])
    }

    @Test("is everything where it runs a program, which would be held to it as well")
    func programs() throws {
        #expect(try confinement(["-S", "ssh", "host:a", "."]).rights() == nil)
        #expect(try confinement(["-D", "server", "host:a", "."]).rights() == nil)
        #expect(try confinement(["host:a", "."]) { $0.proxyCommand = "nc" }.rights() == nil)
        #expect(try confinement(["host:a", "."]) { $0.knownHostsCommand = "cat" }.rights() == nil)
        let variables = ["SSH_ASKPASS": "ask"]
        #expect(try confinement(["host:a", "."], variables: variables).rights() == nil)
        #expect(try confinement(["host:a", "."], { $0.batchMode = true }, variables: variables).rights() != nil)
    }

    @Test("is no place alone where links that are there already may lead elsewhere")
    func links() throws {
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("dir")
        try writeFile(directory.file("file"), text: "")
        for (name, target) in [("link", "file"), ("dangling", "missing")] {
            guard symlink(target, directory.file(name)) == 0 else { throw SystemError("symlink") }
        }
        func written(_ names: [String?], _ target: String = "", recursive: Bool = false) -> [String]? {
            LocalPlace.written(
                by: names.map { $0.map(bytes) }, to: bytes(directory.file(target)), recursive: recursive
            )?.map { String(decoding: $0, as: UTF8.self) }
        }
        let real = try #require(written(["new"])?.first)
        #expect(real.hasPrefix("/") && written(["file", "dir"]) == [real])
        #expect(written(["dir"], recursive: true) == nil && written(["new"], recursive: true) == [real])
        #expect(written(["link"]) == nil && written(["dangling"]) == nil && written([nil]) == nil)
        #expect(written(["x"], "dangling") == nil && written(["x"], "link") == [real])
        #expect(written(["x"], "missing")?.count == 1)
    }

    @Test(
        "knows the name of a file from its path at the server, where that says it",
        arguments: [
            ("a", "a"), ("/d/a/", "a"), ("d/*", nil), ("", nil), (".", nil), ("d/..", nil), ("~", nil), ("a{b,c}", nil),
            ("/", nil),
        ])
    func names(path: String, name: String?) { #expect(LocalPlace.plainName(of: bytes(path)) == name.map(bytes)) }

    @Test(
        "is the directory of a name, whatever slashes are behind it",
        arguments: [
            ("a", "."), ("a/", "."), ("a/b", "a"), ("/a", "/"), ("/a/b//", "/a"), ("/", "/"), ("", "."), ("./a", "."),
        ])
    func directories(path: String, directory: String) {
        #expect(LocalPlace.directory(of: bytes(path)) == bytes(directory))
    }
}
