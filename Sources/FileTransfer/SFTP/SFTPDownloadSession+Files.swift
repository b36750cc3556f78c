import Files
import NIOCore
import SFTP
import SSHWire

// The files of a download: asked for, written, finished.
extension SFTPDownloadSession {
    mutating func read(_ file: IncomingFile) {
        let limit = options.tuning.blockSize(link.session.server.limits.readLength)
        let left = file.size - file.offset
        // One byte more than there should be: an answer without it tells where the file ends.
        let length = left > 0 && left < limit ? Int(left) + 1 : limit
        ask(file, offset: file.offset, length: length)
        file.offset += Int64(length)
    }

    mutating func ask(_ file: IncomingFile, offset: Int64, length: Int) {
        file.unanswered += 1
        unansweredBytes += length
        unansweredReads += 1
        link.session.send(
            .read(handle: file.handle, offset: UInt64(offset), length: UInt32(length)),
            .read(file, offset: offset, length: length))
    }

    mutating func create(_ file: IncomingFile, _ tree: TargetTree) {
        let parent = file.directory?.node
        var transfer = FileInTransfer(number: started, path: tree.path(of: file.name, in: parent), size: file.size)
        started += 1
        var mode = Self.attributes(file.attributes, mask: 0o777, otherwise: 0o666).mode
        // So that the next copy can overwrite it, as OpenSSH has it.
        if !options.preserve { mode |= 0o200 }
        do throws(FileError) {
            file.new = try tree.createFile(file.name, mode: mode, in: parent)
        } catch {
            file.failure = "\(error)"
        }
        goOn(file)
        transfer.present = file.written.end
        file.transfer = transfer
        underWay[transfer.number] = file
        observer.fileStarted(transfer)
    }

    mutating func write(_ bytes: ByteBuffer, to file: IncomingFile, at offset: Int64, _ tree: TargetTree) {
        if file.transfer == nil { create(file, tree) }
        guard file.failure == nil, let new = file.new, let transfer = file.transfer else { return }
        do throws(FileError) {
            try new.file.write(bytes, at: offset)
            let end = offset + Int64(bytes.readableBytes)
            file.written.add(offset..<end)
            file.counted += end - offset
            summary.bytes += end - offset
            observer.bytesTransferred(bytes.readableBytes, of: transfer)
        } catch {
            file.failure = "\(error)"
        }
    }

    /// A READ is answered with `got` bytes, none of them meaning the end of the file.
    mutating func answered(
        _ file: IncomingFile, _ offset: Int64, _ length: Int, got: Int, _ tree: TargetTree
    ) {
        file.unanswered -= 1
        unansweredBytes -= length
        unansweredReads -= 1
        if file.failure == nil, got < length {
            let reached = offset + Int64(got)
            if got == 0 || reached == file.size {
                file.end = min(file.end ?? reached, reached)
            } else {
                ask(file, offset: reached, length: length - got)
            }
        }
        guard file.unanswered == 0 else { return }
        if file.failure == nil, file.end == nil {
            // Either more is being asked for, or the file has grown.
            if !file.wantsReads { read(file) }
            return
        }
        close(file.handle)
        finished(file, tree)
    }

    mutating func finished(_ file: IncomingFile, _ tree: TargetTree) {
        if let end = file.end, file.failure == nil {
            if file.transfer == nil { create(file, tree) }
            do throws(FileError) {
                try file.new?.finish(
                    size: end, attributes: Self.attributes(file.attributes, mask: 0o777, otherwise: 0o666))
            } catch {
                file.failure = "\(error)"
            }
            if end < file.size, file.failure == nil {
                file.failure = "\(RemoteError(path: file.path, reason: .shrank(bytes: end, of: file.size)))"
            }
        }
        let new = file.new
        file.new = nil
        if options.verify, file.failure == nil, let new { askForHash(of: file, new, tree) } else { done(file, tree) }
    }

    /// All is done that will be done of a file.
    mutating func done(_ file: IncomingFile, _ tree: TargetTree) {
        unfinished -= 1
        ledger?.settle(file.path)
        if let failure = file.failure { warn(failure) } else { summary.files += 1 }
        if let transfer = file.transfer {
            underWay[transfer.number] = nil
            observer.fileFinished(transfer, isComplete: file.failure == nil)
        }
        if let directory = file.directory { childFinished(of: directory, tree) }
    }
}
