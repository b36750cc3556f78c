import Files
import NIOCore
import SFTP
import SSHWire

// Hashes of files here and at the server: of what an earlier copy left here, and of what this one brought.
extension SFTPDownloadSession {
    /// Files whose hashes are asked for ahead.
    private static let verifyingLimit = 64

    /// Asks for the hash of as much of a file as an earlier copy may have left here.
    mutating func askForRest(of file: IncomingFile, _ tree: TargetTree) {
        guard let present = tree.existingFile(file.name, in: file.directory?.node), present.status.size > 0,
            present.status.size <= file.size
        else { return }
        let status = present.status
        if file.size <= Self.worthGoingOn {
            let isSame = options.preserve && status.size == file.size
            let modified = file.attributes.times.map { Int64($0.modified) }
            if isSame, status.modified.seconds == modified {
                file.partial = PartialDownload(written: status.size, of: file.attributes, at: status)
            }
        } else if let hasher {
            file.present = present
            file.hash = hasher.ask(file.path, first: status.size)
        }
    }

    /// Goes on behind what is here, if its hash is that of as much of the source.
    mutating func compare(_ file: IncomingFile, _ tree: TargetTree) async throws {
        guard let asked = file.hash, let count = asked.count, let hasher, let present = file.present else { return }
        (file.hash, file.present) = (nil, nil)
        guard let there = try await asked.value.value else {
            return hasher.note("\(present.path): its source cannot be hashed, it is copied anew")
        }
        // What cannot be read here can perhaps be written.
        guard try await Self.hash(of: present, first: count) == there else {
            return hasher.note("\(present.path): what is here differs, it is copied anew")
        }
        hasher.note("\(present.path): \(count) of \(file.size) bytes are here")
        file.partial = PartialDownload(written: count, of: file.attributes, at: present.status)
        create(file, tree)
        guard file.failure != nil else { return }
        close(file.handle)
        finished(file, tree)
    }

    private static func hash(of file: LocalFile, first count: Int64?) async throws -> FileHash? {
        do {
            return try file.hash(first: count)
        } catch is FileError {
            return nil
        }
    }

    /// All of a file is here: its source's hash is asked for.
    mutating func askForHash(of file: IncomingFile, _ new: NewFile, _ tree: TargetTree) {
        guard new.file.status.kind == .regular else {
            file.failure = "\(new.file.path): \(VerificationFailure.notRegular)"
            return done(file, tree)
        }
        do throws(FileError) {
            let present = try tree.openAgain(file.name, in: file.directory?.node)
            guard present.status.identity == new.file.status.identity else {
                throw FileError(path: present.path, operation: .open, cause: .fileReplaced)
            }
            file.present = present
            file.hash = hasher?.ask(file.path)
            verifying.append(file)
        } catch {
            file.failure = "\(error)"
            done(file, tree)
        }
    }

    /// Compares one more file's hashes, if many wait for that or nothing else is due.
    ///
    /// - Returns: whether it did.
    mutating func verifyNext(_ tree: TargetTree) async throws -> Bool {
        guard verifying.count >= Self.verifyingLimit || link.session.unanswered == 0, let file = verifying.first,
            let present = file.present
        else { return false }
        let there = try await file.hash?.value.value
        do {
            let here = try present.hash()
            if there != here {
                let reason = there.map { VerificationFailure.differs(here: here, there: $0) }
                file.failure = "\(present.path): \(reason ?? VerificationFailure.untold)"
            }
        } catch let error as FileError {
            file.failure = "\(error)"
        }
        verifying.removeFirst()
        file.present = nil
        done(file, tree)
        return true
    }
}
