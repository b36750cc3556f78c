import NIOCore
import SSHConfig
import SSHWire

/// Answers what a server asks (RFC 4256).
struct KeyboardInteractive {
    let options: ClientOptions
    let interface: any UserInterface
    private var count = 0
    /// Whether the last request led to a question; without one it is of no use to try again.
    private var wasQuestioned = true
    private var isGivenUp = false

    init(options: ClientOptions, interface: any UserInterface) {
        self.options = options
        self.interface = interface
    }

    /// The request to be asked; nil when that is of no use any more.
    mutating func next() -> AuthenticationMethod? {
        guard options.keyboardInteractiveAuthentication, !options.batchMode, wasQuestioned, !isGivenUp,
            count < options.numberOfPasswordPrompts
        else { return nil }
        count += 1
        wasQuestioned = false
        return .keyboardInteractive(submethods: options.keyboardInteractiveDevices ?? "")
    }

    /// Shows a round of questions, of which there may be none, and collects the answers.
    mutating func answers(to request: UserAuthInfoRequest) async -> [ByteBuffer] {
        wasQuestioned = true
        for words in [request.title, request.instruction] where words.readableBytes > 0 {
            interface.tell(Printable.text(words.readableBytesView, keepingNewlines: true).withoutLineEnd)
        }
        var answers: [ByteBuffer] = []
        for prompt in request.prompts {
            let text =
                "(\(PasswordPrompts.account(options))) "
                + Printable.text(prompt.text.readableBytesView, keepingNewlines: true)
            guard !isGivenUp else {
                answers.append(ByteBuffer())
                continue
            }
            var answer =
                prompt.echo ? await interface.ask(text).map { Array($0.utf8) } : await interface.askSecret(text)
            // With nobody there to ask, the server has to have an answer all the same.
            if answer == nil { isGivenUp = true }
            answers.append(ByteBuffer(bytes: answer ?? []))
            answer?.withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
        }
        return answers
    }
}
