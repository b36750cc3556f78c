import Platform
import TestSupport

/// What the pages take for granted: a home directory with files, and two servers with theirs, under all the names that occur.
final class GuideWorld: Sendable {
    /// The names of the one server, and of the other.
    private static let names = (
        first: "host one inner deep web web1 web3 board 2001:db8::1",
        second: "gate two middle web2 backup"
    )
    private static let passphrase = "correct horse"

    private let directory: TemporaryDirectory
    private let first: Peer
    private let second: Peer
    private let peers: NamedPeers
    private let replacements: [(String, String)]

    init(_ page: GuidePage) async throws {
        directory = try TemporaryDirectory("scp-test-guide")
        first = try await Self.server(directory, home: "first")
        second = try await Self.server(directory, home: "second")
        let lines = ["BatchMode no", "IdentitiesOnly no", "IdentityAgent SSH_AUTH_SOCK"]
        peers = try NamedPeers([(Self.names.first, first, lines), (Self.names.second, second, lines)])
        replacements = [
            // Our user has another name, and so have the ports.
            ("alice@", ""), ("bob@", ""), ("gate:2222", "gate:\(second.port)"), ("2222", "\(first.port)"),
            // Nothing outside the directory is touched.
            ("/srv/", directory.file("srv/")), ("/var/log/", directory.file("log/")),
        ]
        try makeHome()
        try makeServersFiles()
        // The one page that says that it is not there.
        if page.path != "docs/first-copy.md" { try directory.makeDirectory("first/backup") }
        try makePrograms()
        let configuration = page.configuration.components(of: "~/").joined(separator: directory.file("home/"))
        try writeFile(peers.file, text: try readText(peers.file) + configuration)
    }

    /// A server whose sessions begin in a directory of their own and find our programs first.
    private static func server(_ directory: TemporaryDirectory, home name: String) async throws -> Peer {
        let home = try directory.makeDirectory(name)
        let keys = try await TestKeys.ofThisRun()
        return try await Peer.openSSH(
            hostKeys: [.ed25519],
            configuration: [
                "AuthorizedKeysFile \(keys.authorizedKeys) \(home)/.ssh/authorized_keys",
                "Subsystem sftp \(try sftpServer())",
                "ForceCommand cd \(home) && export HOME=\(home) PATH=\(directory.file("bin")):$PATH "
                    + "&& exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"",
            ])
    }

    private func makeHome() throws {
        let home = try directory.makeDirectory("home")
        try directory.makeDirectory("home/.ssh", mode: 0o700)
        for name in ["id_ed25519", "deploy_key"] {
            try writeFile("\(home)/.ssh/\(name)", readFile(first.keys.clientKey(.ed25519)))
        }
        try writeFile("\(home)/known_hosts", readFile(first.knownHosts))
        let files = "report.pdf a.txt b.txt a b file app.conf image.iso firmware.bin ledger.db 12:30.txt"
        for name in files.split(separator: " ") {
            try writeFile("\(home)/\(name)", noise(70_000))
        }
        for name in ["photos", "videos", "archive", "notes", "site", "data", "results", "project", "logs", "inbox"] {
            try makeTree(at: "\(home)/\(name)")
        }
        for name in ["logs", "results", "build", ".git"] { try makeTree(at: "\(home)/project/\(name)") }
        try writeFile("\(home)/project/.gitignore", text: "# made\n*.o\n/build\n")
        try directory.makeDirectory("home/examples")
        let examples = "\(GuidePage.project)/docs/examples"
        for name in listDirectory(examples).map({ String(decoding: $0, as: UTF8.self) }) {
            try writeFile("\(home)/examples/\(name)", readFile("\(examples)/\(name)"))
        }
    }

    private func makeServersFiles() throws {
        for name in ["first", "second"] {
            for file in ["report.pdf", "app.log", "file", "messages"] {
                try writeFile(directory.file("\(name)/\(file)"), noise(3000))
            }
            for tree in ["notes", "photos", "dir", "logs", "inbox", "results"] {
                try makeTree(at: directory.file("\(name)/\(tree)"))
            }
        }
        for name in ["srv", "srv/www", "log"] { try directory.makeDirectory(name) }
        try makeTree(at: directory.file("srv/data"))
        for file in ["srv/www/site.conf", "log/app.log", "log/app.log.1.gz", "log/messages"] {
            try writeFile(directory.file(file), noise(1000))
        }
    }

    /// A directory with some files and one directory in it.
    private func makeTree(at path: String) throws {
        for place in [path, "\(path)/more"] {
            guard mkdir(place, 0o755) == 0 || errno == EEXIST else { throw SystemError("mkdir \(place)") }
            for name in ["1.jpg", "2.txt", "3.o"] { try writeFile("\(place)/\(name)", noise(2000)) }
        }
    }

    /// `scp` and `ssh` read the configuration of the servers here; `ssh-keygen`, which would otherwise write to the user's own
    /// directory, whatever `HOME` is, has to be told a file.
    private func makePrograms() throws {
        try directory.makeDirectory("bin")
        let keygen = try requireProgram("ssh-keygen")
        let scripts = [
            "scp": #"exec '\#(try scpBinary())' -F '\#(peers.file)' "$@""#,
            "ssh": #"exec '\#(try requireProgram("ssh"))' -F '\#(peers.file)' "$@""#,
            "ssh-keygen": #"case " $* " in *" -f "* | *" -s "*) exec '\#(keygen)' "$@" ;; esac; exit 64"#,
            "ask": "echo '\(Self.passphrase)'",
        ]
        for (name, text) in scripts {
            try writeFile(directory.file("bin/\(name)"), text: "#!/bin/sh\n\(text)\n", mode: 0o755)
        }
    }

    /// Runs commands one after another in one shell, which ends at the first that has another status than it should.
    func run(_ commands: [GuidePage.Command]) async throws -> Finished {
        var script = """
            set -o pipefail
            trap '[ -z "${SSH_AGENT_PID-}" ] || ssh-agent -k >/dev/null' EXIT
            check() {
                status=$?
                [ "$status" -eq "$2" ] || { echo "line $1: exit status $status, not $2" >&2; exit 1; }
            }

            """
        for command in commands {
            var text = command.text
            for (old, new) in replacements { text = text.components(of: old).joined(separator: new) }
            script += "\(text)\ncheck \(command.line) \(command.status)\n"
        }
        let path = environmentValue("PATH") ?? "/usr/bin:/bin"
        return try await TestSupport.run(
            "bash", ["-c", script],
            environment: [
                "HOME": directory.file("home"), "PATH": "\(directory.file("bin")):\(path)", "SSH_AUTH_SOCK": nil,
                "SSH_AGENT_PID": nil, "SSH_ASKPASS": directory.file("bin/ask"), "SSH_ASKPASS_REQUIRE": "force",
                "BACKUP_PAUSE": "0",
            ],
            directory: directory.file("home"), timeout: patience * 2)
    }
}
