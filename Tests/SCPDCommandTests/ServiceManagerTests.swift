import Platform
import TestSupport
import Testing

@testable import SCPDCommand

@Suite("What a service manager hands over and is told")
struct ServiceManagerTests {
    @Test("Descriptors are this process's, from 3 on")
    func descriptors() {
        let own = "\(getpid())"
        #expect(ServiceManager.descriptors(process: own, count: "1") == [3])
        #expect(ServiceManager.descriptors(process: own, count: "3") == [3, 4, 5])
        #expect(ServiceManager.descriptors(process: "1\(own)", count: "1").isEmpty)
        #expect(ServiceManager.descriptors(process: nil, count: "1").isEmpty)
        #expect(ServiceManager.descriptors(process: own, count: nil).isEmpty)
        for wrong in ["0", "-1", "1025", "99999999999", "x", ""] {
            #expect(ServiceManager.descriptors(process: own, count: wrong).isEmpty, "\(wrong)")
        }
    }

    @Test("A state arrives at a socket in the file system")
    func path() throws {
        let directory = try TemporaryDirectory()
        let socket = try DatagramSocket(directory.file("notify"))
        ServiceManager.notify("READY=1", socket: directory.file("notify"))
        #expect(socket.receive() == "READY=1")
    }

    #if os(Linux)
        @Test("A state arrives at an abstract name")
        func abstractName() throws {
            let name = "@scpd-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            let socket = try DatagramSocket(name)
            ServiceManager.notify("STOPPING=1", socket: name)
            #expect(socket.receive() == "STOPPING=1")
            ServiceManager.notify("READY=1", socket: name + "x")
            #expect(socket.receive(milliseconds: 50) == nil)
        }
    #endif

    @Test("Where nobody listens, or a name is none, nothing happens")
    func nobody() {
        for name in [
            "", "@", "/nowhere/at/all", String(repeating: "x", count: 108), String(repeating: "x", count: 9999),
        ] {
            ServiceManager.notify("READY=1", socket: name)
        }
        ServiceManager.notify("READY=1", socket: nil)
    }
}

/// A Unix socket that takes datagrams, as systemd's for notifications.
private final class DatagramSocket {
    private let descriptor: Int32

    init(_ name: String) throws {
        descriptor = socket(AF_UNIX, SystemCall.datagramSocket, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name ends with the address, one of a file with a zero byte.
        let length = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + bytes.count } ?? 0)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard result == 0 else { throw SystemError("bind \(name)") }
    }

    deinit { close(descriptor) }

    /// The next datagram; nil if none comes.
    func receive(milliseconds: Int32 = 5000) -> String? {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
