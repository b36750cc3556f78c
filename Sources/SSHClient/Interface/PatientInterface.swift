import SSHConfig

/// Asks as another interface does, with patience.
struct PatientInterface: UserInterface {
    let base: any UserInterface
    let patience: Patience

    func ask(_ question: String) async -> String? { await patience.wait { await base.ask(question) } }

    func askSecret(_ prompt: String) async -> [UInt8]? { await patience.wait { await base.askSecret(prompt) } }

    func confirm(_ question: String) async -> Bool { await patience.wait { await base.confirm(question) } }

    func tell(_ text: String) { base.tell(text) }

    func tell(_ text: String, at level: LogLevel) { base.tell(text, at: level) }
}
