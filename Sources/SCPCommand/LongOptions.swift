/// The options that are this command's alone: scp(1) has no long ones.
struct LongOptions {
    /// How often in a row a lost connection is made again to no avail (`--retries`); nil where the user did not say.
    private(set) var retries: Int?
    /// Goes on from what an earlier copy left at the target (`--resume`).
    private(set) var resume = false
    /// Compares hashes of every file at both ends once it is copied (`--verify`).
    private(set) var verify = false

    /// What suits a network that comes back, and a server that starts again: a minute of pauses.
    static let usualRetries = 6

    /// Each, and whether it takes a value.
    static let names = ["resume": false, "retries": true, "verify": false]

    /// - Throws: `CopyOptions.Fault` for a value that makes no sense.
    mutating func apply(_ option: CommandArguments.LongOption) throws(CopyOptions.Fault) {
        switch option.name {
        case "retries":
            guard let count = CopyOptions.number(option.value), (0...1_000_000).contains(count) else {
                throw .message("bad number of retries \"\(option.value)\"\n\(CopyOptions.usage)")
            }
            retries = count
        case "resume": resume = true
        case "verify": verify = true
        default: throw .usage
        }
    }

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
