import Testing

@testable import CopyEngine

@Suite("How many connections a copy uses")
struct ConnectionPolicyTests {
    /// A copy of a gibibyte that goes on for some time, at a rate that depends on the number of connections.
    private struct Simulation {
        var policy: ConnectionPolicy
        var connections = 1
        var done = 0.0
        var now = ContinuousClock.now
        let roundTrip: Duration
        let size: Int64

        init(_ count: ConnectionCount = .auto, roundTrip: Duration = .milliseconds(50), size: Int64 = 1 << 30) {
            policy = ConnectionPolicy(count)
            (self.roundTrip, self.size) = (roundTrip, size)
        }

        /// - Parameter rate: bytes a second with so many connections.
        mutating func run(seconds: Int, _ rate: (Int) -> Double) {
            for _ in 0..<seconds * 10 {
                done = min(Double(size), done + rate(connections) / 10)
                now = now.advanced(by: .milliseconds(100))
                connections += policy.wanted(
                    .init(done: Int(done), left: size - Int64(done), filesLeft: 0), connections: connections,
                    opening: 0, roundTrip: roundTrip, at: now)
            }
        }
    }

    @Test("Connections that each carry as much as the first: four, and no more")
    func grows() {
        var copy = Simulation()
        copy.run(seconds: 20) { Double($0) * 10e6 }
        #expect(copy.connections == 4)
        #expect(copy.policy.isSettled)
    }

    @Test("A second connection that makes nothing faster is the last")
    func staysAtTwo() {
        var copy = Simulation()
        copy.run(seconds: 30) { _ in 10e6 }
        #expect(copy.connections == 2)
        #expect(copy.policy.isSettled)
    }

    @Test("A near server, and work for less than three seconds, are not worth a second")
    func notWorthIt() {
        var near = Simulation(roundTrip: .milliseconds(4))
        near.run(seconds: 20) { Double($0) * 10e6 }
        #expect(near.connections == 1)
        var small = Simulation(size: 25_000_000)
        small.run(seconds: 20) { Double($0) * 10e6 }
        #expect(small.connections == 1)
    }

    @Test("Before the way to the server is known, and before anything has come, there is one")
    func unknown() {
        var policy = ConnectionPolicy(.auto)
        let outlook = ConnectionPolicy.Outlook(done: 1 << 20, left: 1 << 40, filesLeft: 1)
        let idle = ConnectionPolicy.Outlook(done: 0, left: 1 << 40, filesLeft: 1)
        for second in 0..<10 {
            let now = ContinuousClock.now.advanced(by: .seconds(second))
            #expect(policy.wanted(idle, connections: 1, opening: 0, roundTrip: .milliseconds(100), at: now) == 0)
            #expect(policy.wanted(outlook, connections: 1, opening: 1, roundTrip: .milliseconds(100), at: now) == 0)
        }
    }

    @Test(
        "So many as are wished for, as far as there is work for them",
        arguments: [
            (ConnectionCount.exactly(1), 1 << 40, 1_000, 0), (.exactly(16), 1 << 40, 1, 15), (.exactly(16), 0, 3, 2),
            (.exactly(16), 9 << 20, 1, 2), (.exactly(16), 100, 1, 0),
        ] as [(ConnectionCount, Int64, Int, Int)])
    func exactly(count: ConnectionCount, left: Int64, files: Int, wanted: Int) {
        var policy = ConnectionPolicy(count)
        let outlook = ConnectionPolicy.Outlook(done: 0, left: left, filesLeft: files)
        #expect(policy.wanted(outlook, connections: 1, opening: 0, roundTrip: .zero, at: .now) == wanted)
        policy.settle()
        #expect(policy.wanted(outlook, connections: 1, opening: 0, roundTrip: .zero, at: .now) == 0)
    }
}
