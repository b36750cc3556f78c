import Platform
import SSHConfig

/// A program that asks in place of a terminal (ssh(1): `SSH_ASKPASS`, `SSH_ASKPASS_REQUIRE`,
/// `SSH_ASKPASS_PROMPT`).
struct AskPass {
    let program: String
    /// Whether it is to be used even where there is a terminal.
    let isPreferred: Bool

    /// What is read of an answer, in bytes.
    private static let longestAnswer = 64 * 1024

    /// The program the environment names; nil where there is none or it is not to be used.
    init?(environment: (String) -> String?) {
        func isSet(_ name: String) -> Bool { !(environment(name) ?? "").isEmpty }
        var isAllowed = isSet("DISPLAY") || isSet("WAYLAND_DISPLAY")
        var isPreferred = false
        switch environment("SSH_ASKPASS_REQUIRE")?.lowercased() {
        case "force": (isAllowed, isPreferred) = (true, true)
        case "prefer": isPreferred = isAllowed
        case "never": isAllowed = false
        default: break
        }
        guard isAllowed, let program = environment("SSH_ASKPASS"), !program.isEmpty else { return nil }
        self.program = program
        self.isPreferred = isPreferred
    }

    /// Runs the program with a prompt; nil when it fails, as when its user cancels.
    ///
    /// Blocks the calling thread until the program has ended.
    ///
    /// - Parameter hint: what kind of question it is; nil for one that wants a secret.
    func ask(_ prompt: String, hint: String? = nil, cancellation: ChildProcess.Cancellation? = nil) -> [UInt8]? {
        var command = ChildProcess.Command(program, [prompt])
        command.isSearched = true
        command.environment = ["SSH_ASKPASS_PROMPT": hint]
        command.input = .inherited
        guard
            case (var answer, let status)? = try? ChildProcess.output(
                of: command, limit: Self.longestAnswer, cancellation: cancellation)
        else { return nil }
        defer { wipe(&answer) }
        guard status.isSuccess else { return nil }
        return Array(answer.prefix { $0 != 0x0a && $0 != 0x0d })
    }
}
