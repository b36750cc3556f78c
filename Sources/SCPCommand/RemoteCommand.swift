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

    private static func command(_ options: CopyOptions, _ role: String, _ path: [UInt8]) -> [UInt8] {
        var text = "scp"
        if options.verbosity > 0 { text += " -v" }
        if options.recursive { text += " -r" }
        if options.preserve { text += " -p" }
        text += role
        if path.first == UInt8(ascii: "-") { text += "-- " }
        return Array(text.utf8) + path
    }
}
