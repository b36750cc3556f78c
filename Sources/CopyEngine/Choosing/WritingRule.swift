import Files

/// How carefully files are written at the target.
public struct WritingRule: Equatable, Sendable {
    /// A file is written under a name of its own beside the one it is to have, which it gets when it is whole (`--atomic`): nobody
    /// sees half of it, and what was there before stays until then.
    public var isAtomic = false
    /// A file is on the disk, and not just in a cache, before it is done (`--fsync`); directories of this machine too.
    public var synchronizes = false

    public init() {}

    /// What is wished; nil if nothing is.
    package var wish: String? { isAtomic ? "--atomic" : synchronizes ? "--fsync" : nil }

    /// Why an scp on the other machine would not keep to it; nil if it need not.
    package func refusal(bySCPTo path: BytePath, on host: String) -> CopyError? {
        wish.map { wish in
            let lack = isAtomic ? "rename a file" : "have a file written to its disk"
            return CopyError(path, .target, .wishRefused(wish, reason: "\(host): the SCP protocol cannot \(lack)"))
        }
    }
}

extension CopyRequest {
    /// The same, with what follows from it: under its own name a file is whole, so that one of the same size and time is not
    /// compared, and above all not written again beside it.
    var completed: CopyRequest {
        var request = self
        if writing.isAtomic, resume, preserve, update == .always { request.update = .unlessSame }
        return request
    }
}
