import Files
import NIOCore
import SFTP
import SSHWire

/// What the lanes on one connection share.
final class SFTPConnection {
    /// How much is under way.
    var flow: FlowMeasure

    init(_ limits: ClosedRange<Int>) { flow = FlowMeasure(limits: limits) }
}

/// One server's SFTP end of a copy: its lanes, and what it has shown that it can do.
final class SFTPEnd {
    let host: any CopyHost
    private(set) var lanes: [SFTPLane]
    /// Lanes that are being opened.
    private(set) var opening = 0
    /// The server gave no further lane when asked for one.
    private(set) var isExhausted = false

    init(_ host: any CopyHost, _ lane: SFTPLane) {
        self.host = host
        lanes = [lane]
    }

    /// The one all copies have.
    var main: SFTPLane { lanes[0] }

    func willOpenLane() { opening += 1 }

    func add(_ lane: SFTPLane?) {
        opening -= 1
        if let lane { lanes.append(lane) } else { isExhausted = true }
    }

    /// Files and directories that may be open at a time, as far as the server says.
    func openLimit(reserve: Int = 24) -> Int? { main.server.limits.openHandles.map { max(1, $0 - reserve) } }
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
