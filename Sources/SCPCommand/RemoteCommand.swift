/// The command a server is asked to run: the SCP command execution packet's contents.
///
/// The path is not quoted: the remote user's shell expands it, as it always has for scp.
enum RemoteCommand {
    /// `scp -t`: the server receives into `path`.
    static func sink(_ path: [UInt8], _ options: CopyOptions, targetMustBeDirectory: Bool) -> [UInt8] {
        command(options, targetMustBeDirectory ? " -d -t " : " -t ", path)
    }

    /// `scp -f`: the server sends `path`.
    static func source(_ path: [UInt8], _ options: CopyOptions) -> [UInt8] { command(options, " -f ", path) }

    /// `scp` itself: the server copies `source` to another host, which it must be able to log in to (`-R`).
    static func copy(_ source: [UInt8], to target: Location.Remote, _ options: CopyOptions) -> [UInt8] {
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        let place = (target.user.map { "\($0)@" } ?? "") + host + ":"
        return command(options, " ", source) + [UInt8(ascii: " ")] + Array(place.utf8) + target.path
    }

    private static func command(_ options: CopyOptions, _ role: String, _ path: [UInt8]) -> [UInt8] {
        var text = (["scp"] + options.remoteArguments).joined(separator: " ") + role
        if path.first == UInt8(ascii: "-") { text += "-- " }
        return Array(text.utf8) + path
    }
}
