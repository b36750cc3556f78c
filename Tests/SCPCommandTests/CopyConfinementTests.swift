import Platform
import Testing

@testable import SCPCommand

@Suite("What a copy leaves itself")
struct CopyConfinementTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("is its sources for reading, and where its files go for writing")
    func rights() throws {
        var copy = CopyConfinement()
        copy.sources = [bytes("/home/me/a"), bytes("b")]
        copy.targets = [bytes("/srv/dir"), bytes("/srv/new/file"), bytes("name")]
        copy.keys = ["/home/me/.ssh/id_ed25519"]
        copy.knownHosts = ["/home/me/.ssh/known_hosts"]
        let rights = try #require(copy.rights { $0 == bytes("/srv/dir") })
        for path in ["/home/me/a", "b", "/home/me/.ssh", "/etc/resolv.conf"] {
            #expect(rights.reads.contains(bytes(path)), "\(path)")
        }
        #expect(rights.writes == ["/srv/dir", "/srv/new", ".", "/home/me/.ssh", "/dev/tty"].map(bytes))
        #expect(rights.runs.isEmpty && rights.usesTCP)
    }

    @Test("is everything where it runs a program, which would be held to it as well")
    func programs() {
        var copy = CopyConfinement()
        copy.programs = ["/usr/bin/nc"]
        #expect(copy.rights() == nil)
    }

    @Test(
        "is the directory of a name, whatever slashes are behind it",
        arguments: [
            ("a", "."), ("a/", "."), ("a/b", "a"), ("/a", "/"), ("/a/b//", "/a"), ("/", "/"), ("", "."), ("./a", "."),
        ])
    func directories(path: String, directory: String) {
        #expect(CopyConfinement.directory(of: bytes(path)) == bytes(directory))
    }
}
