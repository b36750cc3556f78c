import SSHConfig
import SSHWire

/// The one place that asks whether a message is shown: `LogLevel` decides, as it does for ssh(1). It is also
/// the one door to a terminal: whatever of a peer's words is in a message leaves it printable. Questions are always put.
struct LeveledInterface: UserInterface {
    let base: any UserInterface
    let threshold: LogLevel

    func ask(_ question: String) async -> String? { await base.ask(question) }

    func askSecret(_ prompt: String) async -> [UInt8]? { await base.askSecret(prompt) }

    func confirm(_ question: String) async -> Bool { await base.confirm(question) }

    /// Most messages inform.
    func tell(_ text: String) { tell(text, at: .info) }

    func tell(_ text: String, at level: LogLevel) {
        if level <= threshold { base.tell(Printable.text(text.utf8, keepingNewlines: true), at: level) }
    }
}
