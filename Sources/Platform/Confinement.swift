import CSystemCalls

/// What a process leaves itself, so that a fault in it gives an attacker no more: on Linux by Landlock (landlock(7)), as far
/// as the kernel has it; elsewhere nothing.
///
/// ```swift
/// var confinement = Confinement()
/// confinement.reads = Confinement.systemFiles + [path("/etc/scpd")]
/// confinement.writes = [path("/srv/files")]
/// logger.debug("\(confinement.apply())")
/// ```
///
/// Paths are files, or directories with all that is below them. One that does not exist allows nothing, also when it is made
/// later: name the directory above it. What is open already stays open, whatever it is.
public struct Confinement: Sendable {
    /// What may be read and listed.
    public var reads: [[UInt8]] = []
    /// What may be read, listed, written, made, renamed and removed; devices, FIFOs and sockets cannot be made.
    public var writes: [[UInt8]] = []
    /// Programs that may be run, or directories of them, which may be read, too.
    public var runs: [[UInt8]] = []
    /// Whether TCP connections may be made and ports be taken. Sockets that are bound already are not affected.
    public var usesTCP = false
    /// Whether signals may be sent to processes outside: those that were started before count as such.
    public var sendsSignals = false

    public init() {}

    /// What the C library and Swift's runtime open by themselves: for the names of users, the time of day, the number of
    /// processors, and the state of threads, which libdispatch reads in `/proc/TID` and cannot do without. Landlock keeps the
    /// memory and the environment of other processes from being read there.
    public static let systemFiles: [[UInt8]] = [
        "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime", "/etc/ld.so.cache", "/usr/share/zoneinfo",
        "/usr/lib", "/lib", "/lib64", "/usr/lib64", "/sys/devices/system/cpu", "/sys/fs/cgroup", "/proc",
        "/dev/null", "/dev/urandom",
    ].map { Array($0.utf8) }

    /// What came of it.
    public enum Outcome: Equatable, Sendable, CustomStringConvertible {
        /// By the kernel's version of Landlock. What that version cannot forbid is named.
        case confined(version: Int, without: [String])
        /// Nothing is forbidden, for this reason.
        case unconfined(String)

        public var description: String {
            switch self {
            case .confined(let version, let gaps):
                "confined by Landlock version \(version)"
                    + (gaps.isEmpty ? "" : ", which cannot forbid: " + gaps.joined(separator: ", "))
            case .unconfined(let reason): "not confined: \(reason)"
            }
        }
    }

    /// Gives up all else, for good. To be called before there is a second thread: Landlock binds the calling thread and those
    /// it starts.
    public func apply() -> Outcome { apply(threadAlone: false) }

    /// - Parameter threadAlone: whether the calling thread is to be confined where there are others, for tests.
    func apply(threadAlone: Bool) -> Outcome {
        #if os(Linux)
            let version = Int(scp_landlock_version())
            guard version > 0 else { return .unconfined("this kernel has no Landlock (\(Self.reason(errno)))") }
            guard version > 1 || writes.isEmpty else {
                return .unconfined("Landlock version 1 would forbid to rename from one directory to another")
            }
            let threads = Self.threads()
            guard threads == 1 || threadAlone else { return .unconfined("there are \(threads) threads already") }
            return restrict(version)
        #else
            return .unconfined("only Linux has Landlock")
        #endif
    }

    #if os(Linux)
        private func restrict(_ version: Int) -> Outcome {
            let rights = LandlockRights(version: version)
            let rules = scp_landlock_create(
                rights.files, usesTCP ? 0 : rights.network, sendsSignals ? 0 : rights.signals)
            guard rules >= 0 else { return .unconfined("landlock_create_ruleset: \(Self.reason(errno))") }
            defer { close(rules) }
            for (paths, allowed) in [(reads, rights.reading), (writes, rights.writing), (runs, rights.running)] {
                for path in paths {
                    if let fault = allow(path, allowed, in: rules, rights) { return fault }
                }
            }
            guard scp_landlock_restrict(rules) == 0 else {
                return .unconfined("landlock_restrict_self: \(Self.reason(errno))")
            }
            return .confined(version: version, without: rights.gaps)
        }

        private func allow(
            _ path: [UInt8], _ allowed: UInt64, in rules: Int32, _ rights: LandlockRights
        ) -> Outcome? {
            let place = (path + [0]).withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { name in
                    name.baseAddress.map { open($0, SystemCall.placeFlags | O_CLOEXEC) } ?? -1
                }
            }
            // What is not there, or not to be seen, is not opened later either.
            guard place >= 0 else { return nil }
            defer { close(place) }
            var status = stat()
            guard fstat(place, &status) == 0 else { return nil }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            guard scp_landlock_allow(rules, place, isDirectory ? allowed : allowed & rights.ofFiles) == 0 else {
                let name = String(decoding: path, as: UTF8.self)
                return .unconfined("landlock_add_rule for \(name): \(Self.reason(errno))")
            }
            return nil
        }

        /// How many threads this process has.
        private static func threads() -> Int {
            guard let directory = opendir("/proc/self/task") else { return 1 }
            defer { closedir(directory) }
            var count = 0
            while let entry = readdir(directory) {
                if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
            }
            return max(1, count)
        }

        private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
    #endif
}
