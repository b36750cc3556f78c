import Testing

@testable import SSHConfig

@Suite("The lines of a configuration file")
struct ConfigurationFileTests {
    private func line(_ text: String) -> ConfigurationLine? { ConfigurationLine(Array(text.utf8)[...], number: 1) }

    @Test(
        "Keyword and argument are parted by blanks, an equals sign, or both",
        arguments: [
            "Port 22", "port=22", "PORT = 22", "  Port\t22  ", "\tPort =22\r", "Port 22 # why", "\"Port\" 22",
            "Port=\"22\"",
            "Port '22'\u{c}", "Port \t=\t 22",
        ])
    func forms(text: String) {
        let line = line(text)
        #expect(line?.keyword == "port")
        #expect(line?.arguments == ["22"])
    }

    @Test("Empty lines and comments are none", arguments: ["", "   ", "\t\r", "# Port 22", "   # x", "\u{c}", "#"])
    func nothing(text: String) { #expect(line(text) == nil) }

    @Test("Only one equals sign parts")
    func equals() {
        #expect(line("SetEnv A=b")?.arguments == ["A=b"])
        #expect(line("SetEnv=A=b")?.arguments == ["A=b"])
        #expect(line("User = =x")?.arguments == ["=x"])
    }

    @Test(
        "Quotes and backslashes",
        arguments: [
            (#"a b  c"#, ["a", "b", "c"]), (#""a b" c"#, ["a b", "c"]), (#"'a b' c"#, ["a b", "c"]),
            (#"a"b c"d"#, ["ab cd"]), (#""a'b""#, ["a'b"]), (#"'a"b'"#, [#"a"b"#]), (#"a\ b"#, ["a b"]),
            (#""a\ b""#, [#"a\ b"#]), (#"\"a\""#, [#""a""#]), (#"\'a"#, ["'a"]), (#"a\\b"#, [#"a\b"#]),
            (#"C:\dir"#, [#"C:\dir"#]), (#"a\"#, [#"a\"#]), (#""" b"#, ["", "b"]), (#"a#b #c d"#, ["a#b"]),
            ("\"#c\" d", ["#c", "d"]), (#"''"#, [""]),
        ] as [(String, [String])])
    func quotes(text: String, words: [String]) { #expect(line("K " + text)?.arguments == words) }

    @Test("A quote that is not closed leaves no words", arguments: [#"K "a"#, #"K 'a"#, #"K a "b c"#, #"K "a\""#])
    func open(text: String) {
        #expect(line(text) != nil)
        #expect(line(text)?.arguments == nil)
    }

    @Test("A command is the rest of its line, comments and quotes too")
    func command() {
        #expect(line("ProxyCommand nc '%h' 22 # x ")?.command == "nc '%h' 22 # x")
        #expect(line("ProxyCommand = = nc")?.command == "nc")
    }

    @Test("Lines are counted, whatever they end with; a line never goes on in the next")
    func numbers() {
        let file = ConfigurationFile(path: "f", bytes: Array("# one\n\nPort 1\r\nUser a\\\nHost b".utf8))
        #expect(file.lines.map(\.number) == [3, 4, 5])
        #expect(file.lines.map(\.arguments) == [["1"], ["a\\"], ["b"]])
    }

    @Test("What follows a NUL does not count; bytes that are no text are replaced")
    func binary() {
        let file = ConfigurationFile(path: "f", bytes: Array("User a\0b\nUser ".utf8) + [0xff, 0x0a, 0x00, 0x0a])
        #expect(file.lines.map(\.arguments) == [["a"], ["\u{fffd}"]])
    }

    @Test("Random bytes are lines or none, and never a trap")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ab =\"'\\#\t\n\r%$~\u{c}\0".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            for line in ConfigurationFile(path: "f", bytes: bytes).lines { #expect(!line.keyword.isEmpty) }
        }
    }
}
