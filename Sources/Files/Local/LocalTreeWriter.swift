/// Writes files and directories to a target one after another, as a walk through them comes by.
package final class LocalTreeWriter {
    package typealias Options = TargetTree.Options

    private let tree: TargetTree
    private var directories: [TargetDirectory] = []

    /// - Throws: ``FileError`` if the target must be a directory and is not.
    package init(target: BytePath, options: Options) throws(FileError) {
        tree = try TargetTree(target: target, options: options)
    }

    /// How many directories are open below the target.
    package var depth: Int { directories.count }

    /// The path an entry of this name gets.
    package func path(of name: [UInt8]) -> BytePath { tree.path(of: name, in: directories.last) }

    /// Opens a file to be written: a new one, or one that is there, whose contents are overwritten.
    package func createFile(_ name: [UInt8], mode: UInt16) throws(FileError) -> NewFile {
        try tree.createFile(name, mode: mode, in: directories.last)
    }

    /// Makes a directory, or takes the one that is there, and goes down into it.
    package func enterDirectory(_ name: [UInt8], attributes: FileAttributes) throws(FileError) {
        directories.append(try tree.enterDirectory(name, attributes: attributes, in: directories.last))
    }

    /// The current directory, for who copies into it.
    package func currentDirectory() throws(FileError) -> LocalDirectory { try tree.opened(directories.last) }

    /// Sets the current directory's attributes and goes up.
    package func leaveDirectory() throws(FileError) {
        if let directory = directories.popLast() { try tree.finish(directory) }
    }
}
