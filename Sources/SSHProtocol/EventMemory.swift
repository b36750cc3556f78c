import NIOCore
import SSHWire

// What events take in memory while they wait for somebody to look at them.

extension ConnectionEvent {
    /// The event with texts of its own: those of a message share the memory of a whole packet. A client's secrets are not
    /// copied; nothing more is read before they are judged.
    package func detached() -> ConnectionEvent {
        switch self {
        case .banner(let text): .banner(text.detached())
        case .extensions(let info):
            .extensions(ExtensionInfo(info.extensions.map { .init(name: $0.name, value: $0.value.detached()) }))
        case .publicKeyAcceptable(let algorithm, let key):
            .publicKeyAcceptable(algorithm: algorithm, key: key.detached())
        case .passwordChangeRequested(let prompt): .passwordChangeRequested(prompt: prompt.detached())
        case .informationRequested(let request): .informationRequested(request.detached())
        case .channelRequest(let id, let kind, let wantReply):
            .channelRequest(id, kind.detached(), wantReply: wantReply)
        case .globalRequest(let request):
            .globalRequest(
                GlobalRequest(
                    request: request.request, wantReply: request.wantReply, fields: request.fields.detached()))
        case .globalReply(let name, let fields): .globalReply(to: name, fields?.detached())
        default: self
        }
    }

    /// About how many bytes it takes.
    package var memory: Int { MemoryLimits.overhead + texts }

    private var texts: Int {
        switch self {
        case .preamble(let text), .debug(let text): text.description.utf8.count
        case .identification(let text): text.utf8.count
        case .banner(let text), .passwordChangeRequested(let text): text.readableBytes
        case .extensions(let info):
            info.extensions.reduce(0) { $0 + $1.name.utf8.count + $1.value.memory }
        case .authenticationFailed(let methods, _): methods.reduce(0) { $0 + $1.utf8.count + MemoryLayout<String>.size }
        case .publicKeyAcceptable(let algorithm, let key): algorithm.utf8.count + key.readableBytes
        case .informationRequested(let request): request.memory
        case .informationGiven(let answers): answers.reduce(0) { $0 + $1.memory }
        case .channelRequest(_, let kind, _): kind.memory
        case .globalRequest(let request): request.request.utf8.count + request.fields.readableBytes
        case .globalReply(let name, let fields): name.utf8.count + (fields?.readableBytes ?? 0)
        default: 0
        }
    }
}

extension UserAuthInfoRequest {
    fileprivate func detached() -> UserAuthInfoRequest {
        var copy = self
        copy.title = title.detached()
        copy.instruction = instruction.detached()
        copy.languageTag = ByteBuffer()
        copy.prompts = prompts.map { Prompt(text: $0.text.detached(), echo: $0.echo) }
        return copy
    }

    fileprivate var memory: Int {
        prompts.reduce(title.readableBytes + instruction.readableBytes) { $0 + $1.text.memory }
    }
}

extension ChannelRequestKind {
    /// The request with texts of its own.
    func detached() -> ChannelRequestKind {
        switch self {
        case .exec(let command): .exec(command: command.detached())
        case .exitSignal(let name, let coreDumped, let message):
            .exitSignal(name: name, coreDumped: coreDumped, message: message.detached())
        case .other(let name, let fields): .other(name: name, fields: fields.detached())
        case .subsystem, .environment, .exitStatus: self
        }
    }

    /// About how many bytes it takes.
    var memory: Int {
        let texts =
            switch self {
            case .exec(let text): text.readableBytes
            case .subsystem(let name): name.utf8.count
            case .environment(let name, let value): name.utf8.count + value.utf8.count
            case .exitStatus: 0
            case .exitSignal(let name, _, let text), .other(let name, let text): name.utf8.count + text.readableBytes
            }
        return MemoryLimits.overhead + texts
    }
}

extension ByteBuffer {
    /// The readable bytes in memory of their own, and no more of it than they need.
    fileprivate func detached() -> ByteBuffer {
        readableBytes == 0 ? ByteBuffer() : ByteBuffer(bytes: readableBytesView)
    }

    /// About how many bytes it takes, detached.
    fileprivate var memory: Int { MemoryLimits.overhead + readableBytes }
}
