import FileTransfer
import NIOCore
import SSHClient
import SSHNIO
import SSHWire

/// A host at the other end of a connection of ours.
struct ClientHost: RemoteHost {
    let client: SSHClient

    var refusesToWriteDirectories: Bool { client.isServerKnown }

    func exec(_ command: [UInt8]) async throws -> any RemoteSession {
        ClientSession(
            channel: try await client.exec(command) { bytes in
                StandardError.write(Printable.text(bytes.readableBytesView, keepingNewlines: true))
            })
    }

    /// Runs a command whose standard error is nobody's business.
    func run(_ command: [UInt8]) async throws -> any ByteStream { try await client.exec(command) }

    func sftp() -> SFTPOpener {
        { try await client.subsystem("sftp") }
    }

    func close() async -> Bool {
        await client.close()
        return true
    }
}

private struct ClientSession: RemoteSession {
    let channel: SSHChannel

    func read() async throws -> ByteBuffer? { try await channel.read() }
    func write(_ bytes: ByteBuffer) async throws { try await channel.write(bytes) }
    func finishWriting() async throws { try await channel.finishWriting() }

    func waitForEnd() async -> Bool {
        await channel.waitForClose()
        return channel.exitStatus.map { $0 == .status(0) } ?? true
    }

    func close() { channel.close() }
}
