import SSHWire

/// A peer's message made printable, without the name of the program that scp puts in front.
package func peerMessage(_ text: [UInt8]) -> String {
    let prefix = "scp: ".utf8
    return Printable.text(text.starts(with: prefix) ? text.dropFirst(prefix.count) : text[...])
}
