import SSHConfig

extension ClientOptions {
    /// Turns off what a server that is not the one it should be could make use of: it could pass on a password and answers,
    /// and log in elsewhere with an agent. A signature is of no use to it (RFC 4252 section 7).
    ///
    /// - Parameter interface: told what is turned off.
    mutating func withholdSecrets(_ interface: any UserInterface) {
        func withhold(_ what: String) {
            interface.tell("\(what) is disabled to avoid man-in-the-middle attacks.", at: .error)
        }
        if passwordAuthentication {
            withhold("Password authentication")
            passwordAuthentication = false
        }
        if keyboardInteractiveAuthentication {
            withhold("Keyboard-interactive authentication")
            keyboardInteractiveAuthentication = false
        }
        if forwardAgent != .no {
            withhold("Agent forwarding")
            forwardAgent = .no
        }
    }
}
