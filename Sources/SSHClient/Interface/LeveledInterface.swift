import SSHConfig

/// The one place that asks whether a message is shown: `LogLevel` decides, as it does for ssh(1). Questions are always put.
struct LeveledInterface: UserInterface {
    let base: any UserInterface
    let threshold: LogLevel

    func ask(_ question: String) async -> String? { await base.ask(question) }

    func askSecret(_ prompt: String) async -> [UInt8]? { await base.askSecret(prompt) }

    func confirm(_ question: String) async -> Bool { await base.confirm(question) }

    /// Most messages inform.
    func tell(_ text: String) { tell(text, at: .info) }

    func tell(_ text: String, at level: LogLevel) {
        if level <= threshold { base.tell(text, at: level) }
    }
}
