import SSHConfig
import SSHNIO
import SSHWire

/// Asks as another interface does, while the server's time stands still. Whoever asks is free as soon as its task is
/// cancelled, also where the other interface takes no notice of that.
struct TimedInterface: UserInterface {
    let base: any UserInterface
    let time: TimeLimit

    /// How long a terminal may take to be itself again when a question is given up.
    private static let farewell = Duration.milliseconds(500)

    func ask(_ question: String) async -> String? { await answer { await $0.ask(question) } }

    func askSecret(_ prompt: String) async -> [UInt8]? { await answer { await $0.askSecret(prompt) } }

    func confirm(_ question: String) async -> Bool { await answer { await $0.confirm(question) } ?? false }

    func tell(_ text: String) { base.tell(text) }

    func tell(_ text: String, at level: LogLevel) { base.tell(text, at: level) }

    private func answer<Value: Sendable>(
        _ body: @escaping @Sendable (any UserInterface) async -> Value?
    ) async -> Value? {
        await time.pause { [base] in
            let waiter = Waiter<Value?>()
            let question = Task { waiter.resume(returning: await body(base)) }
            do {
                return try await waiter.wait { question.cancel() }
            } catch {
                await question.finished(within: Self.farewell)
                return nil
            }
        }
    }
}

extension Task where Failure == Never {
    /// Waits for the task for so long, even where this one is cancelled.
    func finished(within limit: Duration) async {
        await Task<Void, Never> {
            let waiter = Waiter<Void>()
            let timer = Task<Void, Never> {
                try? await Task<Never, Never>.sleep(for: limit)
                waiter.resume()
            }
            Task<Void, Never> {
                _ = await value
                waiter.resume()
            }
            try? await waiter.wait()
            timer.cancel()
        }.value
    }
}
