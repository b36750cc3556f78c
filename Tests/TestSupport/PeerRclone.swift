/// What `rclone serve` holds files in between a client and its storage.
package enum RcloneCache: String, CaseIterable, Sendable {
    /// Nothing: bytes are written only one after another, as they come.
    case off
    /// Files on the disk: bytes are written anywhere, and read ahead.
    case full
}

extension Peer {
    /// Starts `rclone serve sftp` for the files of this machine: SFTP in front of a storage that is not a file system. Any
    /// user name will do.
    ///
    /// It remembers what directories hold: what changes behind its back may not be seen.
    package static func rclone(_ address: Loopback = .ipv4, cache: RcloneCache = .off) async throws -> Peer {
        let rclone = try requireProgram("rclone")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-rclone")
        return try await start(address: address, keys: keys, hostKeys: [.ed25519], directory: directory) { port in
            ServerCommand(
                program: rclone,
                arguments: [
                    "--config", directory.file("rclone.conf"), "--cache-dir", directory.file("cache"), "-v",
                    "serve", "sftp", "--addr", "\(address.bracketed):\(port)", "--key", keys.hostKey(.ed25519),
                    "--authorized-keys", keys.authorizedKeys, "--vfs-cache-mode", cache.rawValue,
                    "--vfs-write-back", "0s", "/",
                ],
                readyMark: "SFTP server listening on")
        }
    }
}
