import NIOCore
import NIOPosix
import Platform
import SSHConfig
import SSHNIO
import SSHProtocol

extension Dialer {
    /// Speaks with the server over the standard input and output of a command (ssh_config(5), ProxyCommand), which the
    /// user's shell runs. The command gets SIGHUP when the connection is over.
    ///
    /// - Throws: `ClientError.program`, `.badOption`.
    func connect(
        throughCommand text: String, _ configuration: ConnectionConfiguration
    ) async throws(ClientError) -> Route {
        guard !options.proxyUseFdpass else {
            throw .badOption(name: "ProxyUseFdpass", reason: "a proxy that hands over its socket is not supported")
        }
        log.note(1, "Executing proxy command: exec \(text)")
        let shell = LocalAccount.environment("SHELL").flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh"
        let (child, reading, writing) = try ChildProcess.connected(.init(shell, ["-c", "exec \(text)"]))
        let end: @Sendable () async -> Void = { _ = await child.end(timeLimit: .zero, signal: SIGHUP) }
        do {
            let observer = log.observer
            let transport = try await NIOPipeBootstrap(group: group)
                .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
                .takingOwnershipOfDescriptors(input: reading, output: writing) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Transport.start(
                            on: channel, role: .client, configuration: configuration, observer: observer)
                    }
                }
            return Route(transport: transport, end: end)
        } catch {
            closeDescriptor(reading)
            closeDescriptor(writing)
            await end()
            throw .program(text, reason: "\(error)")
        }
    }
}
