/// Decides how many connections to a server a copy uses: one TCP connection cannot fill a long or lossy link.
///
/// It has no clock: every call says when it happens.
struct ConnectionPolicy {
    typealias Instant = ContinuousClock.Instant

    /// How far the copy is, in bytes; a file counts as ``fileWork`` more.
    struct Outlook {
        var done = 0
        var left: Int64 = 0
        var filesLeft = 0
    }

    /// What a file costs beside its bytes.
    static let fileWork = 4096
    private static let most = 4
    /// A nearer server is not worth a second connection.
    private static let longWay = Duration.milliseconds(5)
    /// Work that takes less is over before a connection is made; in seconds.
    private static let worthwhile = 3.0
    /// A doubling that raises the rate by less is the last one.
    private static let gain = 7.0 / 6
    /// Windows in which the rate may be found to have risen.
    private static let patience = 4
    private static let shortestWindow = Duration.milliseconds(300)
    /// Bytes of a large file that a connection is worth.
    private static let unit: Int64 = 4 << 20

    private let count: ConnectionCount
    /// No more are opened.
    private(set) var isSettled = false
    private var window: (since: Instant, done: Int, connections: Int)?
    /// Of the connections before the last doubling, in bytes a second.
    private var rateBefore = 0.0
    private var windowsWithoutGain = 0

    init(_ count: ConnectionCount) {
        self.count = count
        if count == .exactly(1) { isSettled = true }
    }

    /// The server refuses more, or they get lost.
    mutating func settle() { isSettled = true }

    /// How many connections are to be opened now.
    ///
    /// - Parameters:
    ///   - connections: those in use.
    ///   - opening: those being made.
    ///   - roundTrip: to the server, as far as it is known.
    mutating func wanted(
        _ outlook: Outlook, connections: Int, opening: Int, roundTrip: Duration, at now: Instant
    ) -> Int {
        guard !isSettled else { return 0 }
        if case .exactly(let number) = count {
            let work = Int(clamping: outlook.left / Self.unit) + outlook.filesLeft
            return max(0, min(number, work) - connections - opening)
        }
        guard opening == 0, roundTrip >= Self.longWay, outlook.done > 0 else { return 0 }
        guard let window, window.connections == connections else {
            self.window = (now, outlook.done, connections)
            return 0
        }
        let elapsed = now - window.since
        guard elapsed >= max(Self.shortestWindow, roundTrip * 8) else { return 0 }
        let rate = Double(outlook.done - window.done) / (elapsed / .seconds(1))
        self.window = (now, outlook.done, connections)
        return doubling(rate, outlook, connections)
    }

    private mutating func doubling(_ rate: Double, _ outlook: Outlook, _ connections: Int) -> Int {
        let left = Double(outlook.left) + Double(outlook.filesLeft * Self.fileWork)
        guard connections < Self.most else {
            isSettled = true
            return 0
        }
        guard left > rate * Self.worthwhile else { return 0 }
        guard connections == 1 || rate >= rateBefore * Self.gain else {
            windowsWithoutGain += 1
            isSettled = windowsWithoutGain >= Self.patience
            return 0
        }
        (rateBefore, windowsWithoutGain) = (rate, 0)
        return min(connections, Self.most - connections)
    }
}
