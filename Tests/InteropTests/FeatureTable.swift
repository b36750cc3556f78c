/// What works which way: what docs/features.md has, and ``FeatureTests`` shows.
enum FeatureTable {
    /// A way to copy.
    enum Mode: String, CaseIterable, Sendable {
        case sftpUp = "SFTP, up"
        case sftpDown = "SFTP, down"
        case scpUp = "SCP (`-O`), up"
        case scpDown = "SCP (`-O`), down"
        case sftpToSFTP = "SFTP to SFTP"
        case scpToSCP = "SCP to SCP (`-O`)"
        case sftpToSCP = "SFTP to SCP"
        case scpToSFTP = "SCP to SFTP"
        case direct = "server to server (`-R`)"
        case local = "local to local"
    }

    enum Feature: String, CaseIterable, Sendable {
        case recursive = "`-r`"
        case preserve = "`-p`"
        case limit = "`-l`"
        case progress
        case resume = "`--resume`"
        case verify = "`--verify`"
        case retries = "`--retries`"
        case connections = "`--connections`"
        case patterns
        case exclude = "`--exclude`"
        case noClobber = "`--no-clobber`"
        case atomic = "`--atomic`"
        case dryRun = "`--dry-run`"
    }

    /// What becomes of a feature.
    enum Support: Equatable, Sendable {
        case yes
        /// It does less than it says.
        case partly(Reason)
        /// It is taken, and changes nothing.
        case idle(Reason)
        /// The command refuses it before anything is copied.
        case no(Reason)

        var text: String {
            switch self {
            case .yes: "yes"
            case .partly(let reason): "partly \(reason.mark)"
            case .idle(let reason): "no effect \(reason.mark)"
            case .no(let reason): "no \(reason.mark)"
            }
        }
    }

    enum Reason: String, CaseIterable, Sendable {
        case wholeFiles = """
            The SCP protocol has no offsets: files of more than 64 KiB that are the same as a whole are passed by, all others copied \
            from their beginning.
            """
        case oneStream = "The SCP protocol is one stream, which one connection carries."
        case nothingConnected = "Nothing is connected."
        case localShell = "Patterns of this machine's files are its shell's: `scp` takes what it gets for a name."
        case copiedThere = "The first server copies by an `scp` of its own, which is given `-r`, `-p` and `-v` alone."
        case unseenTarget = "The SCP protocol does not tell what is at the target."
        case noRenaming = "The SCP protocol cannot rename a file."

        var mark: String { "(\((Self.allCases.firstIndex(of: self) ?? 0) + 1))" }
    }

    static func support(_ mode: Mode, _ feature: Feature) -> Support {
        switch (feature, mode) {
        case (.recursive, _), (.preserve, _): .yes
        case (.patterns, .sftpUp), (.patterns, .scpUp), (.patterns, .local): .no(.localShell)
        case (.patterns, _): .yes
        case (.resume, .direct), (.verify, .direct), (.exclude, .direct), (.noClobber, .direct),
            (.atomic, .direct), (.dryRun, .direct):
            .no(.copiedThere)
        case (_, .direct): .idle(.copiedThere)
        case (.limit, .local), (.retries, .local), (.connections, .local): .idle(.nothingConnected)
        case (.resume, .scpUp), (.resume, .scpDown), (.resume, .scpToSCP), (.resume, .sftpToSCP), (.resume, .scpToSFTP):
            .partly(.wholeFiles)
        case (.connections, .scpUp), (.connections, .scpDown), (.connections, .scpToSCP), (.connections, .sftpToSCP),
            (.connections, .scpToSFTP):
            .idle(.oneStream)
        case (.noClobber, .scpUp), (.noClobber, .scpToSCP), (.noClobber, .sftpToSCP): .no(.unseenTarget)
        case (.atomic, .scpUp), (.atomic, .scpToSCP), (.atomic, .sftpToSCP): .no(.noRenaming)
        default: .yes
        }
    }

    /// The table and its notes, as the page has them.
    static var text: String {
        var lines = [row("", Feature.allCases.map(\.rawValue)), row("---", Feature.allCases.map { _ in "---" })]
        lines += Mode.allCases.map { mode in
            row(mode.rawValue, Feature.allCases.map { support(mode, $0).text })
        }
        lines.append("")
        lines += Reason.allCases.enumerated().map { "\($0.offset + 1). \($0.element.rawValue)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ head: String, _ cells: [String]) -> String {
        "| " + ([head] + cells).joined(separator: " | ") + " |"
    }
}
