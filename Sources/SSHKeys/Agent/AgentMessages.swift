import NIOCore
import SSHWire

// What is said to an authentication agent and what it answers (draft-ietf-sshm-ssh-agent).

/// A request to an agent.
package enum AgentRequest {
    /// Which keys it holds.
    case identities
    /// A signature with one of them.
    case sign(key: ByteBuffer, data: ByteBuffer, flags: UInt32)
    /// Keep this key as well.
    case add(PrivateKey, lifetime: UInt32?, confirm: Bool)
    /// `session-bind@openssh.com`: what this connection to the agent is used for (OpenSSH's PROTOCOL.agent).
    case bindSession(hostKey: ByteBuffer, sessionID: [UInt8], signature: ByteBuffer, isForwarding: Bool)

    /// Asks for an RSA signature with SHA-256 or SHA-512 in place of SHA-1.
    package static func flags(for algorithm: String) -> UInt32 {
        switch algorithm {
        case "rsa-sha2-256": 2
        case "rsa-sha2-512": 4
        default: 0
        }
    }

    /// The request as it is sent: a length, then the number and the fields.
    package func encoded() throws(KeyError) -> ByteBuffer {
        var body = ByteBuffer()
        switch self {
        case .identities:
            body.writeInteger(11 as UInt8)
        case .sign(let key, let data, let flags):
            body.writeInteger(13 as UInt8)
            body.writeSSHString(key)
            body.writeSSHString(data)
            body.writeInteger(flags)
        case .add(let key, let lifetime, let confirm):
            let isConstrained = lifetime != nil || confirm
            body.writeInteger((isConstrained ? 25 : 17) as UInt8)
            try key.material.writeOpenSSH(publicKey: key.publicKey, to: &body)
            body.writeSSHString(key.comment)
            if let lifetime {
                body.writeInteger(1 as UInt8)
                body.writeInteger(lifetime)
            }
            if confirm { body.writeInteger(2 as UInt8) }
        case .bindSession(let hostKey, let sessionID, let signature, let isForwarding):
            body.writeInteger(27 as UInt8)
            body.writeSSHString("session-bind@openssh.com")
            body.writeSSHString(hostKey)
            body.writeSSHString(sessionID)
            body.writeSSHString(signature)
            body.writeSSHBoolean(isForwarding)
        }
        var message = ByteBuffer()
        message.writeSSHString(body)
        return message
    }
}

/// An agent's answer.
package enum AgentAnswer {
    case success
    case failure
    case identities([AgentIdentity])
    /// A signature blob.
    case signature(ByteBuffer)

    /// More keys than an agent holds; a list beyond it is refused before it is read.
    private static let mostIdentities: UInt32 = 2048

    /// - Parameter body: the answer without its length.
    /// - Throws: `KeyError.malformed`.
    package init(body: ByteBuffer) throws(KeyError) {
        do throws(WireError) {
            self = try Self.decode(body)
        } catch {
            throw .malformed(what: "agent's answer", reason: "\(error)")
        }
    }

    private static func decode(_ body: ByteBuffer) throws(WireError) -> AgentAnswer {
        var reader = body
        switch try reader.readByte("type") {
        case 6: return .success
        case 5, 28, 102: return .failure
        case 12:
            let count = try reader.readUInt32("number of keys")
            guard count <= mostIdentities else {
                throw .invalid(field: "number of keys", reason: "\(count), at most \(mostIdentities) are read")
            }
            var identities: [AgentIdentity] = []
            for _ in 0..<count {
                let blob = try reader.readSSHString("key blob")
                let comment = try reader.readSSHString("comment")
                identities.append(AgentIdentity(blob: blob, comment: Printable.text(comment.readableBytesView)))
            }
            return .identities(identities)
        case 14:
            return .signature(try reader.readSSHString("signature"))
        case let type:
            throw .invalid(field: "type", reason: "\(type) is no answer")
        }
    }
}

/// A key, or a certificate, that an agent holds.
package struct AgentIdentity: Sendable {
    package let blob: ByteBuffer
    /// What its owner called it, made printable.
    package let comment: String
}
