import NIOCore

// The messages of a key exchange: RFC 4253 sections 7 and 8, RFC 5656, RFC 8731, RFC 4419.

/// SSH_MSG_KEXINIT (RFC 4253 section 7.1).
package struct KexInit: Message, Equatable {
    package static let number: UInt8 = 20
    package static let name = "SSH_MSG_KEXINIT"
    package var cookie = ByteBuffer(repeating: 0, count: 16)
    package var kexAlgorithms: [String] = []
    package var serverHostKeyAlgorithms: [String] = []
    package var encryptionClientToServer: [String] = []
    package var encryptionServerToClient: [String] = []
    package var macClientToServer: [String] = []
    package var macServerToClient: [String] = []
    package var compressionClientToServer: [String] = []
    package var compressionServerToClient: [String] = []
    package var languagesClientToServer: [String] = []
    package var languagesServerToClient: [String] = []
    package var firstKexPacketFollows = false
    package var reserved: UInt32 = 0

    package init() {}

    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.bytes("cookie", count: 16, &cookie)
        try coder.nameList("kex_algorithms", &kexAlgorithms)
        try coder.nameList("server_host_key_algorithms", &serverHostKeyAlgorithms)
        try coder.nameList("encryption_algorithms_client_to_server", &encryptionClientToServer)
        try coder.nameList("encryption_algorithms_server_to_client", &encryptionServerToClient)
        try coder.nameList("mac_algorithms_client_to_server", &macClientToServer)
        try coder.nameList("mac_algorithms_server_to_client", &macServerToClient)
        try coder.nameList("compression_algorithms_client_to_server", &compressionClientToServer)
        try coder.nameList("compression_algorithms_server_to_client", &compressionServerToClient)
        try coder.nameList("languages_client_to_server", &languagesClientToServer)
        try coder.nameList("languages_server_to_client", &languagesServerToClient)
        try coder.boolean("first_kex_packet_follows", &firstKexPacketFollows)
        try coder.uint32("reserved", &reserved)
    }
}

/// SSH_MSG_NEWKEYS (RFC 4253 section 7.3).
package struct NewKeys: Message {
    package static let number: UInt8 = 21
    package static let name = "SSH_MSG_NEWKEYS"
    package init() {}
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {}
}

/// SSH_MSG_KEX_ECDH_INIT (RFC 5656 section 4, RFC 8731); the hybrid post-quantum exchanges use its layout too.
package struct KexECDHInit: Message {
    package static let number: UInt8 = 30
    package static let name = "SSH_MSG_KEX_ECDH_INIT"
    /// Q_C, the client's ephemeral public key.
    package var clientKey = ByteBuffer()

    package init() {}
    package init(clientKey: ByteBuffer) { self.clientKey = clientKey }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("Q_C", &clientKey)
    }
}

/// SSH_MSG_KEX_ECDH_REPLY (RFC 5656 section 4).
package struct KexECDHReply: Message {
    package static let number: UInt8 = 31
    package static let name = "SSH_MSG_KEX_ECDH_REPLY"
    /// K_S, the server's host key.
    package var hostKey = ByteBuffer()
    /// Q_S, the server's ephemeral public key.
    package var serverKey = ByteBuffer()
    /// The host key's signature of the exchange hash.
    package var signature = ByteBuffer()

    package init() {}
    package init(hostKey: ByteBuffer, serverKey: ByteBuffer, signature: ByteBuffer) {
        self.hostKey = hostKey
        self.serverKey = serverKey
        self.signature = signature
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("K_S", &hostKey)
        try coder.string("Q_S", &serverKey)
        try coder.string("signature of the exchange hash", &signature)
    }
}

/// The numbers and names of the messages of one kind of Diffie-Hellman: their fields are the same.
package protocol DiffieHellmanMessages: Sendable {
    static var initNumber: UInt8 { get }
    static var initName: String { get }
    static var replyNumber: UInt8 { get }
    static var replyName: String { get }
}

/// Diffie-Hellman in a fixed group (RFC 4253 section 8).
package enum FixedGroupMessages: DiffieHellmanMessages {
    package static let initNumber: UInt8 = 30
    package static let initName = "SSH_MSG_KEXDH_INIT"
    package static let replyNumber: UInt8 = 31
    package static let replyName = "SSH_MSG_KEXDH_REPLY"
}

/// Diffie-Hellman in a group that the server chooses (RFC 4419 section 3).
package enum GroupExchangeMessages: DiffieHellmanMessages {
    package static let initNumber: UInt8 = 32
    package static let initName = "SSH_MSG_KEX_DH_GEX_INIT"
    package static let replyNumber: UInt8 = 33
    package static let replyName = "SSH_MSG_KEX_DH_GEX_REPLY"
}

package typealias KexDHInit = DiffieHellmanInit<FixedGroupMessages>
package typealias KexDHReply = DiffieHellmanReply<FixedGroupMessages>
package typealias KexGroupInit = DiffieHellmanInit<GroupExchangeMessages>
package typealias KexGroupReply = DiffieHellmanReply<GroupExchangeMessages>

/// The client's public value.
package struct DiffieHellmanInit<Messages: DiffieHellmanMessages>: Message {
    package static var number: UInt8 { Messages.initNumber }
    package static var name: String { Messages.initName }
    package var e = MPInt(bigEndian: [])

    package init() {}
    package init(e: MPInt) { self.e = e }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) { try coder.mpint("e", &e) }
}

/// The server's host key, public value and signature.
package struct DiffieHellmanReply<Messages: DiffieHellmanMessages>: Message {
    package static var number: UInt8 { Messages.replyNumber }
    package static var name: String { Messages.replyName }
    /// K_S, the server's host key.
    package var hostKey = ByteBuffer()
    package var f = MPInt(bigEndian: [])
    /// The host key's signature of the exchange hash.
    package var signature = ByteBuffer()

    package init() {}
    package init(hostKey: ByteBuffer, f: MPInt, signature: ByteBuffer) {
        self.hostKey = hostKey
        self.f = f
        self.signature = signature
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.string("K_S", &hostKey)
        try coder.mpint("f", &f)
        try coder.string("signature of the exchange hash", &signature)
    }
}

/// SSH_MSG_KEX_DH_GEX_REQUEST (RFC 4419 section 3).
package struct KexGroupRequest: Message {
    package static let number: UInt8 = 34
    package static let name = "SSH_MSG_KEX_DH_GEX_REQUEST"
    /// Sizes of the group in bits.
    package var minimum: UInt32 = 0
    package var preferred: UInt32 = 0
    package var maximum: UInt32 = 0

    package init() {}
    package init(minimum: UInt32, preferred: UInt32, maximum: UInt32) {
        self.minimum = minimum
        self.preferred = preferred
        self.maximum = maximum
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.uint32("min", &minimum)
        try coder.uint32("n", &preferred)
        try coder.uint32("max", &maximum)
    }
}

/// SSH_MSG_KEX_DH_GEX_GROUP (RFC 4419 section 3).
package struct KexGroup: Message {
    package static let number: UInt8 = 31
    package static let name = "SSH_MSG_KEX_DH_GEX_GROUP"
    package var prime = MPInt(bigEndian: [])
    package var generator = MPInt(bigEndian: [])

    package init() {}
    package init(prime: MPInt, generator: MPInt) {
        self.prime = prime
        self.generator = generator
    }
    package mutating func code(_ coder: inout some FieldCoder) throws(WireError) {
        try coder.mpint("p", &prime)
        try coder.mpint("g", &generator)
    }
}
