import Platform
import TestSupport
import Testing

@testable import SSHConfig

@Suite("Whose configuration files are believed")
struct FileTrustTests {
    private func content(mode: mode_t) throws -> TextFile.Content {
        let directory = try TemporaryDirectory()
        let path = directory.file("config")
        try writeFile(path, text: "Port 1\n")
        #expect(chmod(path, mode) == 0)
        return try TextFile.read(path)
    }

    @Test(
        "The user's own file is believed unless others may write to it",
        arguments: [(0o600, true), (0o644, true), (0o400, true), (0o602, false), (0o646, false), (0o622, false)]
            as [(mode_t, Bool)])
    func modes(mode: mode_t, isTrusted: Bool) throws {
        #expect(FileTrust.isTrusted(try content(mode: mode), user: getuid()) { _, _ in false } == isTrusted)
    }

    @Test("A group that only its owner is in may write to it, as with Debian's ssh; any other may not")
    func privateGroup() throws {
        let content = try content(mode: 0o664)
        #expect(
            FileTrust.isTrusted(content, user: getuid()) { group, owner in group == content.group && owner == getuid() }
        )
        #expect(!FileTrust.isTrusted(content, user: getuid()) { _, _ in false })
        #expect(!FileTrust.isTrusted(try self.content(mode: 0o666), user: getuid()) { _, _ in true })
    }

    @Test("Somebody else's file is not believed, root's is")
    func owners() throws {
        let content = try content(mode: 0o600)
        #expect(FileTrust.isTrusted(content, user: getuid() + 1) == (getuid() == 0))
    }

    @Test("No group stands for one that the system does not know")
    func unknownGroup() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("config")
        try writeFile(path, text: "")
        guard getuid() == 0, chown(path, 0, 4_000_000_000) == 0, chmod(path, 0o660) == 0 else { return }
        #expect(!FileTrust.isTrusted(try TextFile.read(path), user: 0))
    }
}
