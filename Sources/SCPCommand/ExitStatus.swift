import SSHClient
import SSHConfig
import Synchronization

/// How the command ends, as scp(1) ends.
enum ExitStatus: Int32 {
    case complete = 0
    /// Something was not copied.
    case incomplete = 1
    /// No connection or login came about, or an option of ssh's was wrong.
    case noConnection = 255

    /// The status that an error leads to.
    ///
    /// With `-O` it is never 255: OpenSSH's scp does not learn there why the other end is silent.
    static func after(_ error: any Error, byProtocol transferProtocol: CopyOptions.TransferProtocol) -> ExitStatus {
        guard transferProtocol != .scp else { return .incomplete }
        switch error {
        case CopyOptions.Fault.fatal, is ConfigurationError: return .noConnection
        case let error as ClientError: return error.isConnectionFailure ? .noConnection : .incomplete
        default: return .incomplete
        }
    }
}

/// The worst that has happened to the copies of one command.
final class Outcome: Sendable {
    private let worst = Mutex(ExitStatus.incomplete)

    /// The status of a command of which not all was copied.
    var status: ExitStatus { worst.withLock { $0 } }

    func add(_ status: ExitStatus) { worst.withLock { if status.rawValue > $0.rawValue { $0 = status } } }
}
