/// Decides which connections a server takes: how many there may be, how many before log-in, and whom it refuses for a
/// while because log-ins from there failed.
///
/// Time is handed in, in seconds of a clock that only goes forward.
struct Admission {
    enum Refusal: Equatable, Sendable {
        case tooManyConnections
        case tooManyStartups
        /// For so many more seconds.
        case penalized(seconds: Int)
    }

    /// What an address did, and for how long it is remembered for that, in seconds.
    enum Offence: Double, Sendable {
        case failedLogin = 5
        /// It connected and did not even try.
        case noLogin = 1
        case graceExceeded = 20
        /// What it sent was not SSH, or not by its rules.
        case badProtocol = 10
    }

    /// Penalties below this many seconds have no effect yet.
    static let threshold = 15.0
    static let longestPenalty = 600.0
    /// How many addresses are remembered.
    static let mostAddresses = 65536

    private let limits: ServerLimits
    private(set) var connections = 0
    private(set) var startups = 0
    /// By network: when its penalty is over.
    private var penalties: [[UInt8]: Double] = [:]
    var remembered: Int { penalties.count }

    init(limits: ServerLimits) { self.limits = limits }

    /// Counts a connection in, unless it is refused.
    ///
    /// - Parameter random: 0 to 99, drawn for this connection.
    mutating func admit(_ address: PeerAddress, now: Double, random: Int) -> Refusal? {
        if limits.penalizesFailures, let end = penalties[address.network], end - now > Self.threshold {
            return .penalized(seconds: Int((end - now).rounded(.up)))
        }
        guard connections < limits.connections else { return .tooManyConnections }
        guard random >= refusedPercent else { return .tooManyStartups }
        connections += 1
        startups += 1
        return nil
    }

    /// How many of a hundred new connections are refused now.
    private var refusedPercent: Int {
        let (begin, percent, full) = (limits.startups.begin, limits.startups.percent, limits.startups.full)
        guard startups >= begin else { return 0 }
        guard startups < full, full > begin else { return 100 }
        return percent + (100 - percent) * (startups - begin) / (full - begin)
    }

    /// The user of a connection was let in.
    mutating func loggedIn() { startups -= 1 }

    /// A connection is over.
    mutating func ended(loggedIn: Bool) {
        connections -= 1
        if !loggedIn { startups -= 1 }
    }

    /// Remembers an offence; those of the same address add up.
    mutating func punish(_ address: PeerAddress, _ offence: Offence, now: Double) {
        guard limits.penalizesFailures else { return }
        let network = address.network
        if penalties[network] == nil, penalties.count >= Self.mostAddresses { forget(now: now) }
        let end = max(penalties[network] ?? now, now) + offence.rawValue
        penalties[network] = min(end, now + Self.longestPenalty)
    }

    /// Makes room: penalties that are over go, and half of all if that is not enough.
    private mutating func forget(now: Double) {
        penalties = penalties.filter { $0.value > now }
        guard penalties.count >= Self.mostAddresses else { return }
        let heaviest = penalties.sorted { $0.value > $1.value }.prefix(Self.mostAddresses / 2)
        penalties = Dictionary(uniqueKeysWithValues: Array(heaviest))
    }
}
