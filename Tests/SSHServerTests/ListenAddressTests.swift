import Platform
import TestSupport
import Testing

@testable import SSHServer

@Suite("Where a server listens", .timeLimit(.minutes(hangMinutes)))
struct ListenAddressTests {
    private let addresses = [ListenAddress.address("127.0.0.1", port: 0), .address("127.0.0.2", port: 0)]

    /// Sockets that are numbers: what was asked for, the port, and which are open.
    private final class Sockets {
        var asked: [ListenAddress] = []
        var open: Set<Int> = []

        func bind(_ address: ListenAddress) -> Int {
            asked.append(address)
            open.insert(asked.count)
            return asked.count
        }

        func bindAll(
            _ addresses: [ListenAddress], failing: (ListenAddress) -> Int32?
        ) throws(ServerError) -> [Int] {
            try ListenAddress.bindAll(
                addresses,
                bind: { (address) throws(ListenFailure) in
                    if let number = failing(address) {
                        asked.append(address)
                        throw ListenFailure(number: number)
                    }
                    return bind(address)
                }, port: { 1000 + $0 }, close: { open.remove($0) })
        }
    }

    @Test("another port is tried where one is taken on another address, and what was bound is closed")
    func retry() throws {
        let sockets = Sockets()
        var refused = 0
        let bound = try sockets.bindAll(addresses) { address in
            guard case .address("127.0.0.2", _) = address, refused < 3 else { return nil }
            refused += 1
            return EADDRINUSE
        }
        #expect(bound == [7, 8] && sockets.open == [7, 8])
        // The second address is asked for the port that the first one got.
        #expect(sockets.asked.last == .address("127.0.0.2", port: 1007))
    }

    @Test("it ends after a few ports")
    func end() {
        let sockets = Sockets()
        #expect(throws: ServerError.self) {
            try sockets.bindAll(addresses) { if case .address("127.0.0.2", _) = $0 { EADDRINUSE } else { nil } }
        }
        #expect(sockets.asked.count == 2 * ListenAddress.attempts && sockets.open.isEmpty)
    }

    @Test("a port that was asked for, and any other error, is tried once", arguments: [EADDRINUSE, EACCES])
    func once(number: Int32) {
        let sockets = Sockets()
        let second = ListenAddress.address("127.0.0.2", port: number == EADDRINUSE ? 1 : 0)
        #expect(throws: ServerError.self) {
            try sockets.bindAll([addresses[0], second]) {
                if case .address("127.0.0.2", _) = $0 { number } else { nil }
            }
        }
        #expect(sockets.asked.count == 2 && sockets.open.isEmpty)
    }

    @Test("a port that is listened on is taken, whoever serves it and when")
    func listening() throws {
        let places = try ListenAddress.listen(on: addresses)
        var ports: [UInt16] = []
        for place in places {
            guard case .socket(let descriptor) = place else {
                Issue.record("\(place)")
                continue
            }
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
            }
            #expect(result == 0)
            ports.append(UInt16(bigEndian: address.sin_port))
        }
        #expect(ports.count == 2 && ports.first == ports.last && ports.first != 0)
        #expect(throws: ServerError.self) {
            try ListenAddress.listen(on: [.address("127.0.0.1", port: Int(ports.first ?? 0))])
        }
        for case .socket(let descriptor) in places { close(descriptor) }
    }
}
