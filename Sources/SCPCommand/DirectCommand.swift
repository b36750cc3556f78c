import Files

/// The command that makes a server copy to another host by itself, which it must be able to log in to (`-R`).
enum DirectCommand {
    static func line(_ source: BytePath, to target: Location.Remote, _ options: CopyOptions) -> [UInt8] {
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        let place = (target.user.map { "\($0)@" } ?? "") + host + ":"
        var text = (["scp"] + options.remoteArguments).joined(separator: " ")
        text += source.bytes.first == UInt8(ascii: "-") ? " -- " : " "
        return Array(text.utf8) + source.bytes + [UInt8(ascii: " ")] + Array(place.utf8) + target.path
    }
}
