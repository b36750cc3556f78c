/// What a peer's identification (RFC 4253 section 4.2) tells of its software.
package struct PeerSoftware: Sendable {
    /// The line, such as `SSH-2.0-OpenSSH_9.2p1 Debian-2`.
    package let identification: String

    package init(identification: String) { self.identification = identification }

    /// What follows `SSH-2.0-`, such as `OpenSSH_9.2p1 Debian-2`.
    package var name: Substring {
        let version = identification.drop { $0 != "-" }.dropFirst()
        return version.drop { $0 != "-" }.dropFirst()
    }

    /// Whether it is of this package.
    package var isOurs: Bool { identification.hasPrefix("SSH-2.0-swift-scp_") }

    /// Whether it is OpenSSH as Unix systems have it.
    package var isOpenSSH: Bool {
        let name = "SSH-2.0-OpenSSH_"
        return identification.hasPrefix(name) && identification.dropFirst(name.count).first?.isNumber == true
    }

    /// Whether it is one of the two whose ways are known.
    package var isKnown: Bool { isOurs || isOpenSSH }
}
