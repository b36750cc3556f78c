import Files
import SSHWire

/// One copy: what is copied, where to, and every wish about how.
///
/// ```swift
/// var request = CopyRequest(from: .local(["photos"]), to: .sftp(host, "backup"))
/// request.recursive = true
/// let summary = try await Copy(request).run()
/// ```
///
/// A wish holds whatever the two ends are; where an end cannot fulfil it, the copy says so before it begins
/// (``CopyError/Cause/wishRefused(_:reason:)``).
public struct CopyRequest: Sendable {
    public var source: CopySource
    public var target: CopyTarget

    /// Copies directories (`-r`).
    public var recursive = false
    /// Keeps modes and times (`-p`).
    public var preserve = false
    /// The target is a directory, as there are several sources.
    public var targetMustBeDirectory = false
    /// Which files are copied; those that are left out are no errors.
    public var filter = CopyFilter()
    /// What becomes of a file that is at the target already.
    public var update = UpdateRule.always
    /// How carefully files are written at the target (`--atomic`, `--fsync`).
    public var writing = WritingRule()
    /// Changes nothing at the target: what would be copied is told, each file as ``CopyEvent/planned(_:)`` (`--dry-run`). The summary
    /// is that of the copy.
    public var isDryRun = false
    /// Resumes behind what is at the target of a file, if that is the beginning of the source by its hash (`--resume`). A
    /// small file is copied again, unless it has the same size and time and ``preserve`` is set.
    public var resume = false
    /// Compares every file's hash at the target with the source's once it is copied (`--verify`).
    public var verify = false
    /// Takes whatever names an SCP source sends (`-T`).
    public var trustsNames = false
    /// A remote scp tells what it does (`-v`).
    public var isVerbose = false
    /// How many connections to a server carry a copy by SFTP (`--connections`).
    public var connections = ConnectionCount.auto
    /// How much is asked of an SFTP server at a time (`-X`).
    public var tuning = SFTPTuning()

    public init(from source: CopySource, to target: CopyTarget) {
        self.source = source
        self.target = target
    }

    /// Why a wish cannot be fulfilled with all the others; nil if all can.
    var refusal: CopyError? {
        func refused(_ wish: String) -> CopyError {
            CopyError(target.path, .target, .wishRefused(wish, reason: "contradicts --resume"))
        }
        if resume, !update.allowsResuming { return refused(update.wish) }
        if resume, isDryRun { return refused("--dry-run") }
        guard case .scp(let host, let path, _) = target else { return nil }
        return update.refusal(bySCPTo: path, on: host.name) ?? writing.refusal(bySCPTo: path, on: host.name)
    }

    /// Whether times of modification decide what is copied, kept or not.
    var asksForTimes: Bool { filter.asksForTimes || update.asksForTimes(verifies: verify) }

    /// Whether an end takes or brings one thing after another.
    var isOrdered: Bool { source.isOrdered || target.isOrdered }
}

/// How many connections to a server a copy uses.
public enum ConnectionCount: Equatable, Sendable {
    /// As many as help, 4 at most: where the server is far, there is work for some seconds, and nobody need be asked anything.
    case auto
    /// So many, if there is work for them and the server lets them in.
    case exactly(Int)
}

/// Where a copy comes from.
public enum CopySource: Sendable {
    /// Files and directories of this machine.
    case local([BytePath])
    /// Paths on a server, relative to the user's home directory there; `~` and the wildcards of a shell are understood.
    case sftp(any CopyHost, [BytePath])
    /// What `scp -f` sends there.
    case scp(any CopyHost, BytePath, SCPCommandLine.Rules)

    fileprivate var isOrdered: Bool {
        if case .scp = self { return true }
        return false
    }

    /// Whether it lies on another machine.
    var isRemote: Bool {
        if case .local = self { return false }
        return true
    }
}

/// Where a copy goes.
public enum CopyTarget: Sendable {
    case local(BytePath)
    /// A path on a server, relative to the user's home directory there; `~` is understood.
    case sftp(any CopyHost, BytePath)
    /// What `scp -t` writes there.
    case scp(any CopyHost, BytePath, SCPCommandLine.Rules)

    fileprivate var isOrdered: Bool {
        if case .scp = self { return true }
        return false
    }

    /// Whether it lies on another machine.
    var isRemote: Bool {
        if case .local = self { return false }
        return true
    }
}

/// How much is asked of an SFTP server at a time (`scp -X`); nil is for what suits the server and the way to it.
public struct SFTPTuning: Equatable, Sendable {
    /// The most bytes in a READ or WRITE; a server's own limit counts too.
    public var bufferSize: Int?
    /// The most READs or WRITEs of a session that may be unanswered.
    public var requests: Int?
    /// Bytes of a connection that are under way at least and at most; what is between is measured.
    package var flow = FlowMeasure.usualLimits

    public init(bufferSize: Int? = nil, requests: Int? = nil) {
        self.bufferSize = bufferSize
        self.requests = requests
    }

    /// Bytes in a READ or WRITE to a server that takes `limit`.
    func blockSize(_ limit: Int) -> Int {
        max(1, min(limit, bufferSize ?? limit, max(512, flow.upperBound / 2)))
    }

    /// Whether nobody has said how much is to be asked for: several lanes may share a file.
    var mayShare: Bool { bufferSize == nil && requests == nil && flow.upperBound >= 1 << 20 }

    /// Whether one more request may be sent while `count` are unanswered.
    func hasRoom(unanswered count: Int) -> Bool { requests.map { count < $0 } ?? true }
}
