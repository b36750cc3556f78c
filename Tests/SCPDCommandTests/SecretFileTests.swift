import Platform
import TestSupport
import Testing

@testable import SCPDCommand

@Suite("Secret files")
struct SecretFileTests {
    @Test(
        "are their owner's alone; those of root may be given to the server by its group",
        arguments: [
            (owner: UInt32(1000), mode: mode_t(0o600), isGood: true), (1000, 0o400, true), (1000, 0o640, false),
            (1000, 0o604, false), (1000, 0o660, false), (1000, 0o610, false), (0, 0o600, true), (0, 0o440, true),
            (0, 0o640, true), (0, 0o644, false), (0, 0o660, false), (0, 0o642, false), (1001, 0o600, false),
            (1001, 0o644, false),
        ])
    func owners(owner: UInt32, mode: mode_t, isGood: Bool) {
        var status = stat()
        (status.st_uid, status.st_mode) = (owner, S_IFREG | mode)
        #expect((SmallFile.exposure(status, user: 1000) == nil) == isGood)
    }

    @Test("of root are nobody else's where root serves")
    func root() {
        for (owner, mode, isGood) in [(UInt32(0), mode_t(0o600), true), (0, 0o640, false), (1000, 0o600, false)] {
            var status = stat()
            (status.st_uid, status.st_mode) = (owner, S_IFREG | mode)
            #expect((SmallFile.exposure(status, user: 0) == nil) == isGood)
        }
    }

    @Test("are read whole, and not beyond a size")
    func reading() throws {
        let place = try TemporaryDirectory()
        for count in [0, 1, 1 << 20] {
            try writeFile(place.file("f"), [UInt8](repeating: 7, count: count))
            chmod(place.file("f"), 0o600)
            #expect(try SmallFile.readSecret(place.file("f")) == [UInt8](repeating: 7, count: count))
        }
        try writeFile(place.file("f"), [UInt8](repeating: 7, count: 1 << 20 + 1))
        #expect(throws: StartFailure.self) { try SmallFile.readSecret(place.file("f")) }
        #expect(throws: StartFailure.self) { try SmallFile.readSecret(place.path) }
        chmod(place.file("f"), 0o644)
        #expect(SmallFile.exposure(place.file("f"))?.contains("mode 644") == true)
    }

    @Test("and lists are read from the directory of their path, and of what that leads to")
    func directories() throws {
        #expect(Preparation.directories(of: "/etc/scpd/keys/%u") == ["/etc/scpd/keys"])
        #expect(Preparation.directories(of: "/etc/scpd/%u/keys") == ["/etc/scpd"])
        #expect(Preparation.directories(of: "/no/such/file") == ["/no/such"])
        #expect(Preparation.directories(of: "no-such-file") == ["."])
        let place = try TemporaryDirectory()
        try place.makeDirectory("real")
        try writeFile(place.file("real/list"), text: "")
        guard symlink("real/list", place.file("list")) == 0 else { throw SystemError("symlink") }
        let found = Preparation.directories(of: place.file("list"))
        #expect(found.count == 2 && found[0] == place.path && found[1].hasSuffix("/real"))
    }
}
