import NIOCore
import Platform

extension Channel {
    /// Has the system acknowledge at once what has just come, where it can be told to.
    ///
    /// A server that waits with a small packet until the last is acknowledged (Nagle's algorithm, which OpenSSH's switches
    /// off only when a session begins) would else wait for the 40 ms by which systems delay their acknowledgements, at each
    /// step of the handshake. The setting does not last, so it is made again with every read.
    func acknowledgePromptly() {
        guard let option = SystemCall.acknowledgeNow, let socket = self as? any SocketOptionProvider else { return }
        _ = socket.unsafeSetSocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: option), value: CInt(1))
    }
}
