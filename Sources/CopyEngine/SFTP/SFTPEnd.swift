import Files
import NIOCore
import SFTP
import SSHWire

/// What the lanes on one connection share.
final class SFTPConnection {
    /// How much is under way.
    var flow: FlowMeasure
    /// Bytes of answers to READ, or of WRITEs that were answered.
    var delivered = 0
    /// Nil for the host's first one.
    let further: (any CopyConnection)?

    init(_ limits: ClosedRange<Int>, further: (any CopyConnection)? = nil) {
        flow = FlowMeasure(limits: limits)
        self.further = further
    }
}

/// One server's SFTP end of a copy: its lanes, and what it has shown that it can do.
final class SFTPEnd {
    let host: any CopyHost
    private(set) var lanes: [SFTPLane]
    /// The first lane of each connection.
    private(set) var mains: [SFTPLane]
    /// Further channels of the first connection, and those that are being opened.
    private(set) var channels: [SFTPLane] = []
    private(set) var opening = 0
    /// The server gave no further channel when asked for one.
    private(set) var isExhausted = false
    /// Further connections: how many, those that are wanted, and those that are being made.
    var policy: ConnectionPolicy
    private(set) var wantedConnections = 0
    private var connecting = 0
    private var reviewed: ContinuousClock.Instant?
    /// Files that several lanes share, and what follows when all of one is done.
    var stripes: SFTPStripes?
    var shared: ((FileJob, Scheduler) -> Void)?

    init(_ host: any CopyHost, _ lane: SFTPLane, _ policy: ConnectionPolicy) {
        self.host = host
        self.policy = policy
        lanes = [lane]
        mains = [lane]
    }

    /// The one all copies have.
    var main: SFTPLane { lanes[0] }

    // MARK: Lanes

    /// A lane that can take one more file; nil if none can.
    func lane(openingAtMost limit: Int) -> SFTPLane? {
        guard mains.count > 1 else { return main.takesFile(limit) ? main : nil }
        return mains.filter { $0.takesFile(limit) }.min { $0.openHandles < $1.openHandles }
    }

    /// Takes what is wished for, each to be fulfilled by ``add(channel:_:)`` or ``add(connection:_:)``.
    func takeWishes() -> [LaneWish] {
        let (channels, connections) = (stripes?.takeWanted() ?? 0, wantedConnections)
        opening += channels
        connecting += connections
        wantedConnections = 0
        return Array(repeating: .channel, count: channels) + Array(repeating: .connection, count: connections)
    }

    var hasWish: Bool { wantedConnections > 0 || (stripes?.wanted ?? 0) > 0 }

    func add(channel: SFTPLane?, _ scheduler: Scheduler) {
        opening -= 1
        guard let channel else { return isExhausted = true }
        lanes.append(channel)
        channels.append(channel)
        stripes?.add(channel, scheduler)
    }

    func add(connection lane: SFTPLane?, _ scheduler: Scheduler) {
        connecting -= 1
        guard let lane else { return policy.settle() }
        lanes.append(lane)
        mains.append(lane)
        stripes?.add(lane, scheduler)
    }

    /// Looks ten times a second whether further connections are worth it.
    func review(_ scheduler: Scheduler, at now: ContinuousClock.Instant) {
        guard !policy.isSettled, reviewed.map({ now - $0 >= .milliseconds(100) }) ?? true else { return }
        reviewed = now
        var outlook = scheduler.outlook
        outlook.done += mains.reduce(0) { $0 + $1.connection.delivered }
        wantedConnections += policy.wanted(
            outlook, connections: mains.count, opening: connecting + wantedConnections, roundTrip: main.roundTrip,
            at: now)
    }

    func closeFurther() async { for lane in mains.dropFirst() { await lane.connection.further?.close() } }

    /// Files and directories that may be open at a time, as far as the server says.
    func openLimit(reserve: Int = 24) -> Int? { main.server.limits.openHandles.map { max(1, $0 - reserve) } }
}

/// What a copy wants of a host besides its first lane.
enum LaneWish {
    case channel
    case connection
}

/// A further connection was lost: what was under way on it is copied again over those that are left.
struct FurtherConnectionLost: Error {
    let host: String
    let reason: any Error
}

/// What has been found out about servers and holds for all connections to them.
struct ServerTraits {
    /// Handles get mixed up when several are open.
    var repeatsHandles = false
    /// Bytes are taken only one after another.
    var writesInOrder = false
    /// What is open for writing can be opened only once.
    var emptiesOnOpening = false
    /// Whether several channels may send parts of one file.
    var takesStripes: Bool { !writesInOrder && !emptiesOnOpening }
    /// Further connections that were lost; after two of them there are no more.
    var lostConnections = 0

    func has(_ fault: ServerFault) -> Bool {
        switch fault {
        case .repeatedHandle: repeatsHandles
        case .writesInOrder: writesInOrder
        case .emptiesOnOpening: emptiesOnOpening
        }
    }

    mutating func learn(_ fault: ServerFault) {
        switch fault {
        case .repeatedHandle: repeatsHandles = true
        case .writesInOrder: writesInOrder = true
        case .emptiesOnOpening: emptiesOnOpening = true
        }
    }
}

extension SFTPAttributes {
    /// What is kept of a file's modes by SFTP, as OpenSSH has it.
    static let fileMask: UInt32 = 0o777
    static let directoryMask: UInt32 = 0o1777

    /// What a copy carries over.
    func carried(mask: UInt32, otherwise: UInt32) -> FileAttributes {
        FileAttributes(
            mode: UInt16(truncatingIfNeeded: (permissions ?? otherwise) & mask),
            modified: times.map { FileTime(seconds: Int64($0.modified)) },
            accessed: times.map { FileTime(seconds: Int64($0.accessed)) })
    }
}

extension FileAttributes {
    /// Times in whole seconds, as version 3 of SFTP has them.
    var sftpTimes: SFTPAttributes.Times? {
        modified.map {
            .init(accessed: UInt32(clamping: (accessed ?? $0).seconds), modified: UInt32(clamping: $0.seconds))
        }
    }
}
