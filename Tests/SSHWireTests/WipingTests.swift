import NIOCore
import Testing

@testable import SSHWire

@Suite("Secrets in buffers")
struct WipingTests {
    private let secret = Array("correct horse".utf8)

    @Test("are overwritten where they lie, and the buffer is empty")
    func wipe() {
        var buffer = ByteBuffer(bytes: secret)
        buffer.moveReaderIndex(forwardBy: 4)
        buffer.wipe()
        #expect(buffer.readableBytes == 0 && buffer.writerIndex == 0)
        #expect(buffer.getBytes(at: 0, length: 0) == [])
        buffer.moveWriterIndex(to: secret.count)
        #expect(buffer.getBytes(at: 0, length: secret.count) == [UInt8](repeating: 0, count: secret.count))
    }

    @Test("of a buffer that is shared stay for the other")
    func shared() {
        var buffer = ByteBuffer(bytes: secret)
        let other = buffer
        buffer.wipe()
        #expect(Array(other.readableBytesView) == secret)
    }

    @Test("are taken out of a message for all who hold it, and nothing beside them")
    func field() {
        var message = ByteBuffer(string: "<")
        message.writeBytes(secret)
        message.writeString(">")
        let field = message.getSlice(at: 1, length: secret.count)
        field?.wipeForAll()
        #expect(message.getString(at: 0, length: 1) == "<")
        #expect(message.getBytes(at: 1, length: secret.count) == [UInt8](repeating: 0, count: secret.count))
        #expect(message.getString(at: 1 + secret.count, length: 1) == ">")
    }

    @Test("are in no method that is kept to know what was asked")
    func methods() {
        let (old, new) = (ByteBuffer(string: "old"), ByteBuffer(string: "new"))
        let method = AuthenticationMethod.password(old, new: new)
        #expect(method.withoutSecrets == .password(ByteBuffer(), new: ByteBuffer()))
        #expect(AuthenticationMethod.password(old, new: nil).withoutSecrets == .password(ByteBuffer(), new: nil))
        method.wipeSecretsForAll()
        #expect(old == ByteBuffer(bytes: [0, 0, 0]) && new == ByteBuffer(bytes: [0, 0, 0]))
        let other = AuthenticationMethod.publicKey(algorithm: "a", key: ByteBuffer(string: "k"), signature: nil)
        #expect(other.withoutSecrets == other)
    }
}
