import NIOCore
import Platform

extension ByteBuffer {
    /// Overwrites all that was written into the buffer, and empties it. Memory that another buffer shares stays as it is.
    package mutating func wipe() {
        moveReaderIndex(to: 0)
        withUnsafeMutableReadableBytes { Platform.wipe($0) }
        clear()
    }

    /// Overwrites the readable bytes where they lie, whoever shares the memory: for a secret that nobody is to read again,
    /// as a field of a message that has been taken out of it.
    package func wipeForAll() {
        withUnsafeReadableBytes { Platform.wipe(UnsafeMutableRawBufferPointer(mutating: $0)) }
    }
}

extension AuthenticationMethod {
    /// What kind of request it is, without the passwords in it.
    package var withoutSecrets: AuthenticationMethod {
        guard case .password(_, let new) = self else { return self }
        return .password(ByteBuffer(), new: new.map { _ in ByteBuffer() })
    }

    /// Overwrites the passwords in it, once it has been sent, for all who hold it.
    package func wipeSecretsForAll() {
        guard case .password(let password, let new) = self else { return }
        password.wipeForAll()
        new?.wipeForAll()
    }
}
