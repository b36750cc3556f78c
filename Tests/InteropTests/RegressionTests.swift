import Platform
import TestSupport
import Testing

@Suite(
    "OpenSSH's own regression scripts for scp, from Debian's package openssh-tests", .timeLimit(.minutes(hangMinutes)))
struct RegressionTests {
    /// Where the package puts the scripts.
    private static let scripts = "/usr/lib/openssh/regress"

    /// Each script goes through both protocols by itself.
    @Test("The script finds nothing to complain about", arguments: ["scp", "scp-uri", "scp3"])
    func script(name: String) async throws {
        let finished = try await run(name, scp: scpBinary())
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.outputText.contains("\nok \(name)"), "\(finished)")
        for mode in ["scp", "sftp"] {
            #expect(finished.outputText.contains("\(name): \(mode) mode: "), "\(finished)")
        }
    }

    @Test("The script does complain about an scp that copies nothing")
    func complains() async throws {
        let finished = try await run("scp-uri", scp: requireProgram("true"))
        #expect(!finished.succeeded && finished.outputText.contains("corrupted copy"), "\(finished)")
    }

    private func run(_ script: String, scp: String) async throws -> Finished {
        let path = "\(Self.scripts)/\(script).sh"
        guard access(path, R_OK) == 0 else {
            throw TestSupportError("\(path) is not there: Scripts/setup.sh installs what the tests need")
        }
        let place = try TemporaryDirectory("scp-test-regress")
        // What the scripts start must find their files, whoever it runs as.
        guard chmod(place.path, 0o755) == 0 else { throw SystemError("chmod \(place.path)") }
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        // A directory with nothing but our `scp`, for the server's search path.
        let directory = try place.makeDirectory("bin")
        guard symlink(scp, "\(directory)/scp") == 0 else { throw SystemError("symlink \(directory)/scp") }
        let objects = try place.makeDirectory("objects")
        return try await TestSupport.run(
            "/bin/sh", ["\(Self.scripts)/test-exec.sh", objects, path],
            environment: [
                "TEST_SHELL": "/bin/sh", "TEST_SSH_SCP": "\(directory)/scp", "TEST_SSH_SSH": requireProgram("ssh"),
                "TEST_SSH_SSHD": requireProgram("sshd"), "TEST_SSH_SFTPSERVER": sftpServer(),
                "TEST_SSH_PORT": "\(Loopback.ipv4.freePort())", "TEST_SSH_UNSAFE_PERMISSIONS": "1",
                "BUILDDIR": objects, "SUDO": getuid() == 0 ? requireProgram("env") : "",
            ],
            directory: objects, timeout: patience * 2)
    }
}
