import NIOCore
import SSHWire

/// What a client asks a session channel to start (RFC 4254 section 6.5).
public enum SessionRequest: Equatable, Sendable {
    /// A command line, meant for the user's shell.
    case exec(ByteBuffer)
    case subsystem(String)
    /// A shell of the user's.
    case shell
}

/// Who is at the other end of a connection, once let in.
public struct Login: Sendable {
    public let user: String
    /// The client's address in numbers, and its port.
    public let address: String
    public let port: Int
    /// How the user was let in: `publickey`, `password`, … several joined by `,`.
    public let method: String
    /// What the user showed: a key's fingerprint, with a certificate's name and serial; nil without a key.
    public let key: String?
    public let permissions: LoginPermissions

    public init(
        user: String, address: String, port: Int, method: String, key: String? = nil,
        permissions: LoginPermissions = LoginPermissions()
    ) {
        self.user = user
        self.address = address
        self.port = port
        self.method = method
        self.key = key
        self.permissions = permissions
    }
}

/// What a key's options in `authorized_keys`, or its certificate, leave its holder.
public struct LoginPermissions: Equatable, Sendable {
    /// The command to be served whatever is asked for (`command=`, `force-command`); nil for none.
    public var forcedCommand: ByteBuffer?
    /// Nothing may be changed.
    public var isReadOnly = false

    public init(forcedCommand: ByteBuffer? = nil, isReadOnly: Bool = false) {
        self.forcedCommand = forcedCommand
        self.isReadOnly = isReadOnly
    }
}

/// A session channel whose request has been granted, to be served.
public struct ServedSession: Sendable {
    public let login: Login
    /// What is to be served: a forced command stands here in place of what the client asked for.
    public let request: SessionRequest
    /// What the client asked for.
    public let asked: SessionRequest
    /// The channel's data, both ways.
    public let stream: any ByteStream
    /// Writes to the client's standard error.
    public let writeError: @Sendable (ByteBuffer) -> Void

    public init(
        login: Login, request: SessionRequest, asked: SessionRequest? = nil, stream: any ByteStream,
        writeError: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.login = login
        self.request = request
        self.asked = asked ?? request
        self.stream = stream
        self.writeError = writeError
    }
}

/// Serves the sessions of a server.
public protocol SessionHandler: Sendable {
    /// Whether such a request, as the client makes it, is served; others are refused to the client at once. A command that
    /// the log-in forces is in its permissions, and is what ``serve(_:)`` will be given.
    func accepts(_ request: SessionRequest, from login: Login) -> Bool

    /// Serves a session to its end. The channel is closed when this returns. The task is cancelled when the connection
    /// is gone or the server's patience with its stop has ended.
    ///
    /// - Returns: the exit status the client is told.
    func serve(_ session: ServedSession) async -> UInt32
}
