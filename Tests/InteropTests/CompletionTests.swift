import TestSupport
import Testing

@Suite("Completions in the shells they are for", .timeLimit(.minutes(hangMinutes)))
struct CompletionTests {
    /// A directory with the completion files under the names that shells look for, and hosts to be found.
    private struct Place {
        let directory: TemporaryDirectory
        var configuration: String { directory.file("config") }

        init() throws {
            directory = try TemporaryDirectory()
            try writeFile(
                directory.file("config"), text: "Host alpha beta.example *.internal !no\nUser me\n", mode: 0o600)
            try writeFile(
                directory.file("kh"),
                text:
                    "gamma,[delta.example]:2222,2001:db8::1 \(Self.key)\n@revoked * \(Self.key)\n|1|AAAA|AAAA \(Self.key)\n"
            )
            try writeFile(directory.file("some file"), text: "")
        }

        static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDcz+RG7DPpf4FgB3zoPpXhjFwMzyTNdTTpvRvLDxWiP"

        /// Options that make hosts be found there alone.
        var options: [String] {
            ["-F", configuration, "-oUserKnownHostsFile=\(directory.file("kh"))", "-oGlobalKnownHostsFile=none"]
        }
    }

    private let scp: String
    private let binaries: String

    init() throws {
        scp = try scpBinary()
        binaries = String(scp.prefix(upTo: scp.lastIndex(of: "/") ?? scp.endIndex))
    }

    /// What bash makes of a line whose end is where the cursor is.
    private func bash(_ line: String, in place: Place, command: String = "scp") async throws -> [String] {
        let script = """
            PATH=$1:$PATH; source "$2"
            COMP_LINE=$3 COMP_POINT=${#3}
            compopt() { :; }
            read -ra COMP_WORDS <<<"$3"
            function=$(complete -p \(command)); function=${function#*-F }; ${function%% *}
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let finished = try await run(
            "bash",
            [
                "--norc", "-c", script, "bash", binaries,
                GeneratedDocument.path("completions/\(command).bash"), line,
            ], directory: place.directory.path)
        #expect(finished.errorText.isEmpty, "\(finished)")
        return finished.outputText.split(separator: "\n").map(String.init)
    }

    private func fish(_ line: String, in place: Place, command: String = "scp") async throws -> [String] {
        let script = """
            set -p PATH $argv[1]
            source $argv[2]
            complete -C $argv[3]
            """
        // The name of the command is that of the file.
        let copy = place.directory.file("\(command).fish")
        try writeFile(copy, text: try readText(GeneratedDocument.path("completions/\(command).fish")))
        let finished = try await run(
            "fish", ["--no-config", "-c", script, binaries, copy, line],
            environment: ["HOME": place.directory.path, "XDG_CONFIG_HOME": place.directory.path],
            directory: place.directory.path)
        return finished.outputText.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    }

    @Test("bash completes options, their values, settings and hosts")
    func inBash() async throws {
        let place = try Place()
        #expect(try await bash("scp --re", in: place) == ["--resume", "--retries"])
        #expect(try await bash("scp -r -oStrictH", in: place).isEmpty)
        #expect(try await bash("scp -r -o StrictH", in: place) == ["StrictHostKeyChecking="])
        #expect(try await bash("scp -Q key-s", in: place) == ["key-sig"])
        #expect(try await bash("scp -c aes256-ctr,3d", in: place) == ["aes256-ctr,3des-cbc"])
        #expect(try await bash("scp -i so", in: place) == ["some file"])
        let options = place.options.joined(separator: " ")
        #expect(try await bash("scp \(options) al", in: place) == ["alpha:"])
        #expect(try await bash("scp \(options) me@al", in: place) == ["me@alpha:"])
        #expect(try await bash("scp \(options) -J de", in: place) == ["delta.example"])
        #expect(try await bash("scp so", in: place).contains("some\\ file"))
        #expect(try await bash("scpd --read", in: place, command: "scpd") == ["--read-only"])
    }

    @Test("fish completes options, their values and hosts")
    func inFish() async throws {
        let place = try Place()
        #expect(try await fish("scp --resu", in: place) == ["--resume"])
        #expect(try await fish("scp -Q key-s", in: place) == ["key-sig"])
        let options = place.options.joined(separator: " ")
        #expect(try await fish("scp \(options) al", in: place).contains("alpha:"))
        #expect(try await fish("scpd --read", in: place, command: "scpd") == ["--read-only"])
    }

    @Test("zsh completes options and hosts")
    func inZsh() async throws {
        let place = try Place()
        for command in ["scp", "scpd"] {
            let text = try readText(GeneratedDocument.path("completions/_\(command)"))
            try writeFile(place.directory.file("_\(command)"), text: text)
        }
        // A shell on a terminal of its own, to which keys are typed; what it has completed the line to is what it then runs.
        let script = """
            zmodload zsh/zpty
            zpty shell zsh -f -i
            typed() { zpty -w shell "$1" }
            typed "PS1=; path=($1 \\$path); fpath=($2 \\$fpath); cd $2; autoload -Uz compinit; compinit -u -D; setopt no_beep"
            typed "print -r -- rea''dy"; until zpty -r shell line && [[ $line == *ready* ]]; do :; done
            zpty -w -n shell "$3"$'\\t'
            sleep 2
            zpty -w -n shell $'\\x01print -r -- \\x05 en\\'\\'d\\n'
            while zpty -r shell line; do print -r -- $line; [[ $line == *" end"* ]] && break; done
            zpty -d shell
            """
        let options = place.options.joined(separator: " ")
        for (line, expected) in [
            ("scp --resu", "scp --resume"), ("scpd --read", "scpd --read-only"), ("scp -Q key-s", "scp -Q key-sig"),
            ("scp \(options) alp", "alpha:"),
        ] {
            let finished = try await run("zsh", ["-f", "-c", script, "zsh", binaries, place.directory.path, line])
            #expect(finished.outputText.contains(expected), "\(line): \(finished)")
        }
    }

    @Test("Paths on a server are completed over a connection that asks nothing")
    func paths() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try makeTree(
            .named(["d": .named(["one": .file([]), "other two": .file([]), ".hidden": .file([])])]),
            at: peer.directory.file("tree"))
        let options = peer.clientOptions() + ["--complete", "paths", "--"]
        let word = peer.remote("tree/")
        var finished = try await run(scp, options + [word + "d"])
        #expect(finished.outputText == word + "d/\n", "\(finished)")
        finished = try await run(scp, options + [word + "d/o"])
        #expect(finished.outputText == word + "d/one\n" + word + "d/other two\n", "\(finished)")
        finished = try await run(scp, options + [word + "d/."])
        #expect(finished.outputText == word + "d/.hidden\n", "\(finished)")
        finished = try await run(scp, options + [peer.remote("nowhere/x")])
        #expect(finished.output.isEmpty && finished.errors.isEmpty, "\(finished)")
    }
}

@Suite("Manuals", .timeLimit(.minutes(hangMinutes)))
struct ManualTests {
    private static let pages = ["scp.1", "scpd.8", "swift-scp-config.5"]

    @Test("mandoc finds nothing to warn of", arguments: pages)
    func lint(page: String) async throws {
        let finished = try await run("mandoc", ["-T", "lint", "-W", "warning", GeneratedDocument.path("man/\(page)")])
        #expect(finished.succeeded && finished.output.isEmpty, "\(finished)")
    }

    @Test("They fit a terminal of 80 columns", arguments: pages)
    func width(page: String) async throws {
        let finished = try await run(
            "mandoc", ["-T", "ascii", "-O", "width=78", GeneratedDocument.path("man/\(page)")])
        for line in finished.outputText.split(separator: "\n") {
            // A letter, a backspace and the letter again is a bold one.
            let shown = line.split(separator: "\u{8}", omittingEmptySubsequences: false)
            #expect(line.count - 2 * (shown.count - 1) <= 80, "\(line)")
        }
    }
}
