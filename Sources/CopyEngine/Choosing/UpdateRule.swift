import Files

/// What becomes of a file that is at the target already.
public enum UpdateRule: Sendable {
    /// It is overwritten.
    case always
    /// It stays (`--no-clobber`).
    case ifMissing
    /// It is overwritten if the source was modified later, in seconds (`--update`).
    case ifNewer
    /// It stays if it has the source's size and time of modification, in seconds (`--skip-unchanged`). With
    /// ``CopyRequest/verify`` its size and its hash decide.
    case unlessSame

    /// Whether times of modification decide.
    func asksForTimes(verifies: Bool) -> Bool { self == .ifNewer || (self == .unlessSame && !verifies) }

    /// What it is called where it cannot be kept to.
    package var wish: String {
        switch self {
        case .always: "overwriting"
        case .ifMissing: "--no-clobber"
        case .ifNewer: "--update"
        case .unlessSame: "--skip-unchanged"
        }
    }

    /// Whether it goes together with ``CopyRequest/resume``, which changes what is at the target, and leaves it newer than its source.
    package var allowsResuming: Bool { self != .ifMissing && self != .ifNewer }

    /// Why an scp on the other machine would not keep to it; nil if it need not.
    package func refusal(bySCPTo path: BytePath, on host: String) -> CopyError? {
        guard self != .always else { return nil }
        return CopyError(
            path, .target, .wishRefused(wish, reason: "\(host): the SCP protocol does not tell what is at the target"))
    }
}
