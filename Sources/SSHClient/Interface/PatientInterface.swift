import SSHTransport

/// Asks as another interface does, and lets no deadline of the connection run meanwhile: a person's time to answer is
/// not the server's.
struct PatientInterface: UserInterface {
    let base: any UserInterface
    let transport: Transport
    /// Seconds the server has again after an answer.
    let limit: Int

    func ask(_ question: String) async -> String? {
        transport.stopDeadline()
        defer { transport.startDeadline(seconds: limit) }
        return await base.ask(question)
    }

    func askSecret(_ prompt: String) async -> [UInt8]? {
        transport.stopDeadline()
        defer { transport.startDeadline(seconds: limit) }
        return await base.askSecret(prompt)
    }

    func tell(_ text: String) { base.tell(text) }
}
