/// Keeps a flood out of the log: the first of many like events is told at once, the others of each period as one number.
struct RepeatedLines {
    /// In seconds.
    static let period = 10

    /// Like events, and the words of the line that tells how many there were.
    struct Kind: Hashable {
        let words: String
        let reason: String
    }

    /// What came of one kind since it was last told.
    struct Summary: Equatable {
        var count = 0
        /// From how many networks, counted up to ``mostNetworks``.
        var networks: Set<[UInt8]> = []
    }
    static let mostNetworks = 1000

    enum Advice: Equatable {
        /// Tell this one, and ask for the ``end(of:)`` of the period that begins with it.
        case tell
        case count
    }

    private var periods: [Kind: Summary] = [:]

    mutating func note(_ kind: Kind, from network: [UInt8]) -> Advice {
        guard var summary = periods[kind] else {
            periods[kind] = Summary()
            return .tell
        }
        summary.count += 1
        if summary.networks.count < Self.mostNetworks { summary.networks.insert(network) }
        periods[kind] = summary
        return .count
    }

    /// What a period has counted, to be told; another period has begun then. Nil where nothing came, and none has.
    mutating func end(of kind: Kind) -> Summary? {
        guard let summary = periods[kind], summary.count > 0 else {
            periods[kind] = nil
            return nil
        }
        periods[kind] = Summary()
        return summary
    }

    /// The kinds of which a period is under way.
    var kinds: [Kind] { periods.keys.sorted { $0.reason < $1.reason } }
}
