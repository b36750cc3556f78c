import TestSupport
import Testing

@testable import Platform

#if os(Linux)
    import CSystemCalls

    /// What the kernel that runs the tests has; the tests of what it forbids need it.
    private let landlockVersion = Int(scp_landlock_version())

    @Suite("Confinement by Landlock")
    struct ConfinementTests {
        /// Directories `served`, `read` and `other`, each with a file.
        private let place: TemporaryDirectory

        init() throws {
            place = try TemporaryDirectory("scp-test-confined")
            for name in ["served", "read", "other", "served/below"] { try place.makeDirectory(name) }
            for name in ["served", "read", "other"] { try writeFile(place.file("\(name)/file"), text: name) }
        }

        /// Errno of a call, 0 where it went well.
        private static func number(_ call: () -> Int32) -> Int32 {
            let result = call()
            guard result < 0 else { return 0 }
            return errno
        }

        private static func opened(_ path: String, _ flags: Int32) -> Int32 {
            number {
                let descriptor = open(path, flags | O_CLOEXEC, 0o600)
                if descriptor >= 0 { close(descriptor) }
                return descriptor
            }
        }

        /// Runs `true` and returns errno of that.
        private static func ran(_ program: String) -> Int32 {
            var process = pid_t()
            let name = strdup(program)
            defer { free(name) }
            var arguments: [UnsafeMutablePointer<CChar>?] = [name, nil]
            let result = posix_spawn(&process, program, nil, nil, &arguments, nil)
            guard result == 0 else { return result }
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            return 0
        }

        private static func connected(port: UInt16) -> Int32 {
            let descriptor = socket(AF_INET, SystemCall.streamSocket, 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            return number {
                withUnsafePointer(to: address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
            }
        }

        /// Runs a body on a thread that is confined first. The thread ends with it, and no other one is.
        private func confined<Value: Sendable>(
            _ change: @escaping @Sendable (inout Confinement) -> Void = { _ in },
            _ body: @escaping @Sendable () throws -> Value
        ) async throws -> Value {
            let (served, read) = (place.file("served"), place.file("read"))
            return try await onThread {
                var confinement = Confinement()
                confinement.writes = [Array(served.utf8), Array("/no/such/place".utf8)]
                confinement.reads = [Array(read.utf8)]
                change(&confinement)
                let outcome = confinement.apply(threadAlone: true)
                guard case .confined = outcome else { throw TestSupportError("\(outcome)") }
                return try body()
            }
        }

        @Test(
            "to open, write, rename, link and remove elsewhere is refused, and what is allowed works",
            .enabled(if: landlockVersion >= 3, "this kernel's Landlock is of version \(landlockVersion)"))
        func files() async throws {
            let (served, read, other) = (place.file("served"), place.file("read"), place.file("other"))
            try await confined {
                typealias Tests = ConfinementTests
                #expect(Tests.opened("\(served)/file", O_RDWR | O_TRUNC) == 0)
                #expect(Tests.opened("\(served)/new", O_WRONLY | O_CREAT) == 0)
                #expect(Tests.number { rename("\(served)/new", "\(served)/below/new") } == 0)
                #expect(Tests.number { link("\(served)/below/new", "\(served)/second") } == 0)
                #expect(Tests.number { unlink("\(served)/second") } == 0)
                #expect(Tests.number { mkdir("\(served)/made", 0o700) } == 0)
                #expect(Tests.number { rmdir("\(served)/made") } == 0)
                #expect(Tests.opened("\(read)/file", O_RDONLY) == 0)
                for path in ["\(read)/file", "\(other)/file", "/etc/passwd"] {
                    #expect(Tests.opened(path, O_WRONLY) == EACCES, "\(path)")
                }
                #expect(Tests.opened("\(other)/file", O_RDONLY) == EACCES)
                #expect(Tests.opened(other, O_RDONLY | O_DIRECTORY) == EACCES)
                #expect(Tests.opened("\(read)/new", O_WRONLY | O_CREAT) == EACCES)
                #expect(Tests.number { truncate("\(other)/file", 0) } == EACCES)
                #expect(Tests.number { unlink("\(other)/file") } == EACCES)
                #expect(Tests.number { mkdir("\(other)/made", 0o700) } == EACCES)
                #expect(Tests.number { symlink("x", "\(other)/made") } == EACCES)
                // Out of the place, and into it.
                for (old, new) in [("\(served)/file", "\(other)/out"), ("\(other)/file", "\(served)/in")] {
                    #expect([EACCES, EXDEV].contains(Tests.number { rename(old, new) }), "\(old)")
                    #expect([EACCES, EXDEV].contains(Tests.number { link(old, new) }), "\(old)")
                }
                #expect(Tests.number { mkfifo("\(served)/fifo", 0o600) } == EACCES)
            }
            // Other threads are not held to it.
            #expect(try readText("\(other)/file") == "other")
        }

        @Test(
            "programs are run and ports are reached only where that was asked for",
            .enabled(if: landlockVersion >= 4, "this kernel's Landlock is of version \(landlockVersion)"))
        func programsAndPorts() async throws {
            let program = try requireProgram("true")
            try await confined {
                #expect(ConfinementTests.ran(program) == EACCES)
                #expect(ConfinementTests.connected(port: 1) == EACCES)
            }
            try await confined { confinement in
                confinement.reads += Confinement.systemFiles
                confinement.runs = [Array(program.utf8)] + Confinement.systemFiles
                confinement.usesTCP = true
            } _: {
                #expect(ConfinementTests.ran(program) == 0)
                #expect(ConfinementTests.connected(port: 1) == ECONNREFUSED)
            }
        }

        @Test(
            "signals to processes outside are refused unless they were asked for",
            .enabled(if: landlockVersion >= 6, "this kernel's Landlock is of version \(landlockVersion)"))
        func signals() async throws {
            let child = try ChildProcess(requireProgram("sleep"), ["60"])
            let process = child.pid
            try await confined { #expect(ConfinementTests.number { kill(process, 0) } == EPERM) }
            try await confined {
                $0.sendsSignals = true
            } _: {
                #expect(ConfinementTests.number { kill(process, 0) } == 0)
            }
            child.end()
        }

        @Test("is not tried where other threads are there already, and says so")
        func threads() {
            guard case .unconfined(let reason) = Confinement().apply() else {
                Issue.record("the test process is confined")
                return
            }
            #expect(reason.contains(landlockVersion > 0 ? "threads" : "Landlock"), "\(reason)")
        }
    }

    @Suite("What a version of Landlock can forbid")
    struct LandlockRightsTests {
        @Test("grows with the version, and what is missing is named")
        func versions() {
            #expect(LandlockRights(version: 1).files == 0x1fff && LandlockRights(version: 1).network == 0)
            #expect(LandlockRights(version: 2).files == 0x3fff)
            #expect(LandlockRights(version: 3).files == 0x7fff && LandlockRights(version: 3).gaps.first == "TCP")
            #expect(LandlockRights(version: 4).network == 3 && LandlockRights(version: 4).signals == 0)
            #expect(LandlockRights(version: 5).files == 0xffff)
            #expect(LandlockRights(version: 6).signals == 2 && LandlockRights(version: 6).gaps.isEmpty)
            // One that is not known yet adds nothing.
            #expect(LandlockRights(version: 99).files == 0xffff)
        }

        @Test("of a file holds nothing of directories, and reading nothing that changes")
        func kinds() {
            let rights = LandlockRights(version: 6)
            #expect(rights.ofFiles == 0b1100_0000_0000_0111)
            #expect(rights.reading == 0b1100 && rights.running == 0b1101)
            #expect(rights.writing & 1 == 0)
        }
    }
#endif
