import NIOCore
import SSHKeys
import SSHProtocol

/// What an agent is told about an SSH connection (`session-bind@openssh.com`, OpenSSH's PROTOCOL.agent section 1).
package struct AgentBinding: Sendable {
    package let sessionID: [UInt8]
    package let proof: HostKeyProof

    package init(sessionID: [UInt8], proof: HostKeyProof) {
        self.sessionID = sessionID
        self.proof = proof
    }

    /// - Parameter isForwarding: whether the agent is lent to the server, not used to log in to it.
    func request(isForwarding: Bool) -> AgentRequest {
        .bindSession(
            hostKey: proof.blob, sessionID: sessionID, signature: proof.signature, isForwarding: isForwarding)
    }
}
