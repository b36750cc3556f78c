import NIOCore
import Testing

@testable import SSHServer

@Suite("Admission")
struct AdmissionTests {
    private func address(_ text: String) throws -> PeerAddress {
        PeerAddress(try SocketAddress(ipAddress: text, port: 1000))
    }

    private func limits(_ change: (inout ServerLimits) -> Void) -> ServerLimits {
        var limits = ServerLimits()
        change(&limits)
        return limits
    }

    @Test("Connections beyond the limit are refused until one ends")
    func connections() throws {
        var admission = Admission(limits: limits { $0.connections = 2 })
        let here = try address("192.0.2.1")
        for _ in 0..<2 {
            let refusal = admission.admit(here, now: 0, random: 0)
            #expect(refusal == nil)
            admission.loggedIn()
        }
        var refusal = admission.admit(here, now: 0, random: 0)
        #expect(refusal == .tooManyConnections)
        admission.ended(loggedIn: true)
        refusal = admission.admit(here, now: 0, random: 0)
        #expect(refusal == nil)
        #expect(admission.connections == 2)
        #expect(admission.startups == 1)
    }

    @Test("Connections before log-in are refused more often the more there are", arguments: [0, 29, 30, 64, 65, 99])
    func startups(_ random: Int) throws {
        var admission = Admission(limits: limits { $0.startups = .init(begin: 10, percent: 30, full: 20) })
        let here = try address("192.0.2.1")
        for _ in 0..<10 { _ = admission.admit(here, now: 0, random: 0) }
        // 30 of a hundred at 10, 65 at 15, all at 20.
        #expect((admission.admit(here, now: 0, random: random) == .tooManyStartups) == (random < 30))
        while admission.startups < 15 { _ = admission.admit(here, now: 0, random: 99) }
        #expect((admission.admit(here, now: 0, random: random) == .tooManyStartups) == (random < 65))
        while admission.startups < 20 { _ = admission.admit(here, now: 0, random: 99) }
        let refusal = admission.admit(here, now: 0, random: random)
        #expect(refusal == .tooManyStartups)
    }

    @Test("Failures add up until an address is refused, for as long as they weigh, and no other is")
    func penalties() throws {
        var admission = Admission(limits: ServerLimits())
        let (bad, good) = (try address("192.0.2.1"), try address("192.0.2.2"))
        for count in 1...3 {
            admission.punish(bad, .failedLogin, now: 100)
            #expect(admission.admit(bad, now: 100, random: 99) == nil, "after \(count)")
        }
        admission.punish(bad, .failedLogin, now: 100)
        #expect(admission.admit(bad, now: 100, random: 99) == .penalized(seconds: 20))
        #expect(admission.admit(bad, now: 104, random: 99) == .penalized(seconds: 16))
        #expect(admission.admit(bad, now: 106, random: 99) == nil)
        #expect(admission.admit(good, now: 100, random: 99) == nil)
        for _ in 0..<1000 { admission.punish(bad, .graceExceeded, now: 200) }
        #expect(admission.admit(bad, now: 200, random: 99) == .penalized(seconds: 600))
    }

    @Test("Without penalties nothing is remembered")
    func unpunished() throws {
        var admission = Admission(limits: limits { $0.penalizesFailures = false })
        let here = try address("192.0.2.1")
        for _ in 0..<1000 { admission.punish(here, .graceExceeded, now: 0) }
        #expect(admission.admit(here, now: 0, random: 99) == nil)
    }

    @Test("An IPv6 customer's addresses count as one, an IPv4 address in IPv6 as itself")
    func networks() throws {
        #expect(try address("2001:db8:1:2::1").network == address("2001:db8:1:2:ffff::9").network)
        #expect(try address("2001:db8:1:2::1").network != address("2001:db8:1:3::1").network)
        #expect(try address("2001::1:0:0:0:1").network != address("2001::2:0:0:0:1").network)
        #expect(try address("::ffff:192.0.2.1").network == address("192.0.2.1").network)
    }

    @Test("However many addresses fail, the memory of them is bounded")
    func bounded() throws {
        var admission = Admission(limits: ServerLimits())
        for number in 0..<70_000 {
            let bytes = [10, (number >> 16) & 255, (number >> 8) & 255, number & 255].map { String($0) }
            admission.punish(try address(bytes.joined(separator: ".")), .failedLogin, now: 0)
        }
        #expect(admission.remembered <= Admission.mostAddresses)
        #expect(admission.remembered > Admission.mostAddresses / 4)
    }
}
