import Files
import NIOCore
import SFTP
import SSHWire

// Hashes of files at the target: of what an earlier copy left there, and of what this one brought.
extension SFTPUploadSession {
    /// Files whose hashes are asked for ahead.
    private static let verifyingLimit = 64

    /// Asks for the hash of what an earlier copy may have left of a file.
    mutating func askForRest(of file: OutgoingFile, _ target: SFTPAttributes) {
        guard target.kind == .regular || target.kind == nil, let told = target.size, told > 0, told <= UInt64(file.size)
        else { return }
        if file.size <= Self.worthGoingOn {
            let isSame = options.preserve && told == UInt64(file.size)
            if isSame, target.times?.modified == Self.times(file.file.status).modified { goOn(file, at: file.size) }
        } else if let hasher {
            file.hash = hasher.ask(file.path, first: Int64(told))
        }
    }

    /// Goes on behind what is at the target, if its hash is that of as much of the source.
    mutating func compare(_ file: OutgoingFile) async throws {
        guard let asked = file.hash, let count = asked.count, let hasher else { return }
        file.hash = nil
        let path = Printable.text(file.path)
        guard let there = try await asked.value.value else {
            return hasher.note("\(path): cannot be hashed, is copied anew")
        }
        do {
            guard try file.file.hash(first: count) == there else {
                return hasher.note("\(path): what is there differs, is copied anew")
            }
            hasher.note("\(path): \(count) of \(file.size) bytes are there")
            goOn(file, at: count)
        } catch let error as FileError {
            file.failure = "\(error)"
        }
    }

    /// A file is at the target: it is done, or its hash is asked for.
    mutating func closed(_ file: OutgoingFile) {
        guard options.verify, file.failure == nil else { return finished(file) }
        if isSpecial(file) {
            file.failure = "\(Printable.text(file.path)): \(VerificationFailure.notRegular)"
            return finished(file)
        }
        file.hash = hasher?.ask(file.path)
        verifying.append(file)
    }

    /// Compares one more file's hashes, if many wait for that or nothing else is due.
    ///
    /// - Returns: whether it did.
    mutating func verifyNext() async throws -> Bool {
        guard verifying.count >= Self.verifyingLimit || link.session.unanswered == 0, let file = verifying.first
        else { return false }
        var there = try await file.hash?.value.value
        if there == nil { there = try await hasher?.readBack(file.path) }
        do {
            let here = try file.file.hash()
            if there != here {
                let reason = there.map { VerificationFailure.differs(here: here, there: $0) }
                file.failure = "\(Printable.text(file.path)): \(reason ?? VerificationFailure.untold)"
            }
        } catch let error as FileError {
            file.failure = "\(error)"
        }
        verifying.removeFirst()
        finished(file)
        return true
    }
}
