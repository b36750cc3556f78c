import Files
import Platform
import SFTP

extension SFTPStatus {
    static let invalidHandle = SFTPStatus(.failure, message: "invalid handle")
    static let outOfRange = SFTPStatus(.failure, message: "offset out of range")

    /// How a client is told: the codes are those OpenSSH's server chooses; where that is the one for any failure, the
    /// words say more.
    init(_ error: FileError.Cause) {
        switch error {
        case .system(let number):
            let code = SFTPStatusCode(errno: number)
            self.init(code, message: code == .failure ? error.description : "")
        case .leadsOut, .readOnly: self.init(.permissionDenied, message: error.description)
        default: self.init(.failure, message: error.description)
        }
    }
}

extension SFTPStatusCode {
    init(errno number: Int32) {
        switch number {
        case ENOENT, ENOTDIR, EBADF, ELOOP: self = .noSuchFile
        case EPERM, EACCES, EFAULT: self = .permissionDenied
        case ENAMETOOLONG, EINVAL: self = .badMessage
        case ENOSYS: self = .unsupported
        default: self = .failure
        }
    }
}

extension FileError.Cause {
    /// Whether somebody who reads a log wants to know.
    var isRefusal: Bool {
        switch self {
        case .system(let number): number == EPERM || number == EACCES
        case .leadsOut, .readOnly, .notRegular: true
        default: false
        }
    }
}
