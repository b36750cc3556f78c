import Files
import NIOCore

/// Where an SCP source has its files from: this machine's directories, or those a server shows.
package protocol SCPSourceWalk: AnyObject {
    associatedtype File: SCPSourceFile

    /// The next item; nil after the last.
    func next() -> WalkItem<File>?

    /// Leaves out the entries of the directory just entered, and its ``WalkItem/leaveDirectory``.
    func skipDirectory()
}

/// A file that is being sent.
package protocol SCPSourceFile {
    var path: BytePath { get }
    /// As it was when the file was opened.
    var status: FileStatus { get }

    /// Appends up to `count` bytes from `offset` to the buffer; returns how many, less only at the end of the file.
    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError) -> Int

    /// What is wrong if there is more in the file than when it was opened, or nobody can tell.
    func growth() -> FileError?
}

/// Where an SCP sink puts its files, one after another, as a walk through them comes by.
package protocol SCPTargetWriter: AnyObject {
    associatedtype File: SCPTargetFile

    /// The path an entry of this name gets.
    func path(of name: [UInt8]) -> BytePath

    /// Opens a file to be written: a new one, or one that is there, whose contents are overwritten.
    func createFile(_ name: [UInt8], mode: UInt16) throws(FileError) -> File

    /// Makes a directory, or takes the one that is there, and goes down into it.
    func enterDirectory(_ name: [UInt8], attributes: FileAttributes) throws(FileError)

    /// Sets the current directory's attributes and goes up.
    func leaveDirectory() throws(FileError)
}

/// A file that is being written.
package protocol SCPTargetFile {
    /// Writes all readable bytes.
    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError)

    /// Sets the file's size in bytes and its attributes, and closes it.
    ///
    /// - Throws: ``FileError``: the first thing that went wrong. The rest is done even so.
    func finish(size: Int64, attributes: FileAttributes) throws(FileError)
}

extension LocalWalk: SCPSourceWalk {}
extension LocalFile: SCPSourceFile {}
extension LocalTreeWriter: SCPTargetWriter {}
extension NewFile: SCPTargetFile {}
