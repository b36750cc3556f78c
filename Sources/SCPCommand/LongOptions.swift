/// What the options that are this command's alone say: OpenSSH's scp has no long ones.
struct LongOptions {
    /// How often in a row a lost connection is made again to no avail (`--retries`); nil where the user did not say.
    var retries: Int?
    /// Goes on from what an earlier copy left at the target (`--resume`).
    var resume = false
    /// Compares hashes of every file at both ends once it is copied (`--verify`).
    var verify = false

    /// What suits a network that comes back, and a server that starts again: a minute of pauses.
    static let usualRetries = 6

    /// The first of those that were given and that only an SFTP copy of ours can do.
    fileprivate var demanding: String? {
        if resume { return "--resume" }
        if verify { return "--verify" }
        if let retries, retries > 0 { return "--retries" }
        return nil
    }
}

extension CopyOptions {
    /// How often in a row a lost connection is made again to no avail.
    var retries: Int { long.retries ?? LongOptions.usualRetries }

    /// Checks that nothing was asked for that only a copy by SFTP over a connection of ours can do.
    ///
    /// - Parameter kind: what kind of copy this is instead.
    /// - Throws: ``Fault``.
    func refuseLongOptions(_ kind: String) throws(Fault) {
        if let option = long.demanding { throw .message("\(option) does not work \(kind)") }
    }
}
