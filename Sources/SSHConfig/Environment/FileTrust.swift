import Platform
import Synchronization

/// Whether a file of the user's can have been written by nobody else.
enum FileTrust {
    /// Whether a file is root's or the user's own and others cannot write to it. A group may that only its user is in, as
    /// with the OpenSSH of Debian and Ubuntu, which give each user such a group.
    static func isTrusted(
        _ file: TextFile.Content, user: UInt32, isPrivate: (UInt32, UInt32) -> Bool = isPrivate(group:of:)
    ) -> Bool {
        guard file.owner == 0 || file.owner == user, file.mode & 0o002 == 0 else { return false }
        return file.mode & 0o020 == 0 || isPrivate(file.group, file.owner)
    }

    /// Whether a user, and nobody else, is in a group. A group without any member is a program's.
    private static func isPrivate(group: UInt32, of owner: UInt32) -> Bool {
        databases.withLock { _ in
            guard let entry = getgrgid(group)?.pointee else { return false }
            var members: Set<String> = []
            var next = entry.gr_mem
            while let name = next?.pointee {
                members.insert(String(cString: name))
                next = next?.successor()
            }
            var name: String?
            var isShared = false
            setpwent()
            defer { endpwent() }
            while let account = getpwent()?.pointee {
                if account.pw_uid == owner, name == nil { name = String(cString: account.pw_name) }
                guard account.pw_gid == group else { continue }
                if account.pw_uid != owner { isShared = true }
                members.insert(String(cString: account.pw_name))
            }
            guard !isShared, let name, !members.isEmpty else { return false }
            return members == [name]
        }
    }

    /// The functions that go through the databases keep their place for the whole process.
    private static let databases = Mutex(())
}
