import NIOCore
import NIOPosix
import SSHConfig
import SSHKeys
import SSHNIO
import SSHWire

/// Lends a local agent to the server: each channel the server opens for it leads to the agent's socket
/// (draft-ietf-sshm-ssh-agent, section on forwarding; OpenSSH's PROTOCOL for the names).
struct AgentForwarding: Sendable {
    /// Where the agent listens.
    let path: String
    /// What the agent is told of the connection first.
    let binding: AgentBinding
    let log: ClientLog

    /// The request that tells the server, on a session's channel, that an agent may be used there.
    static let request = ChannelRequestKind.other(name: "auth-agent-req@openssh.com", fields: ByteBuffer())
    private static let channelType = "auth-agent@openssh.com"
    /// The longest answer to the binding that is waited for, in bytes.
    private static let longestAnswer = 256 * 1024

    /// The forwarding that the options ask for; nil for none, and where no agent can be reached.
    init?(_ options: ClientOptions, binding: AgentBinding, log: ClientLog) async {
        let path: String
        switch (options.forwardAgent, options.agentSocket) {
        case (.no, _), (.yes, nil): return nil
        case (.socket(let own), _): path = own
        case (.yes, let usual?): path = usual
        }
        do {
            _ = try await AgentClient.connected(to: path)
        } catch {
            log.note(1, "no agent to forward: \(error)")
            return nil
        }
        self.path = path
        self.binding = binding
        self.log = log
    }

    /// Lets the server open channels to the agent.
    func start(on transport: Transport) {
        let loop = transport.eventLoop
        transport.accept(Self.channelType) { offered in Task { await relay(offered, loop) } }
    }

    private func relay(_ offered: OfferedChannel, _ loop: any EventLoop) async {
        log.note(1, "the server asks for the agent")
        let agent: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            agent = try await ClientBootstrap(group: loop).channelOption(.allowRemoteHalfClosure, value: true)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(isOutboundHalfClosureEnabled: true))
                    }
                }
        } catch {
            log.note(1, "agent: \(error)")
            return offered.refuse("the agent cannot be reached")
        }
        do {
            try await agent.executeThenClose { inbound, outbound in
                var answers = inbound.makeAsyncIterator()
                do {
                    try await outbound.write(binding.request(isForwarding: true).encoded())
                    try await Self.skipAnswer(&answers)
                } catch {
                    offered.refuse("the agent does not answer")
                    throw error
                }
                guard let channel = await offered.accept() else { return }
                try await Self.join(channel, &answers, outbound)
            }
        } catch {
            log.note(1, "agent forwarding: \(error)")
        }
    }

    /// Reads the answer to the binding. An agent that knows of none is used all the same.
    private static func skipAnswer(_ answers: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) async throws
    {
        var answer = ByteBuffer()
        while true {
            guard let more = try await answers.next() else { throw AgentClient.Fault.gone }
            answer.writeImmutableBuffer(more)
            guard let length = answer.getInteger(at: answer.readerIndex, as: UInt32.self) else { continue }
            guard length <= longestAnswer else { throw AgentClient.Fault.answerTooLong(Int(length)) }
            if answer.readableBytes >= 4 + Int(length) { return }
        }
    }

    private static func join(
        _ channel: SSHChannel, _ answers: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The channel's close is what ends the other direction too.
            defer { channel.close() }
            group.addTask {
                while let bytes = try await channel.read() { try await outbound.write(bytes) }
                outbound.finish()
            }
            while let bytes = try await answers.next() { try await channel.write(bytes) }
        }
    }
}
