import Testing

@testable import SSHConfig

@Suite("Lists of algorithms as ssh_config writes them")
struct AlgorithmListTests {
    private func resolve(_ text: String?) throws -> [String] {
        try AlgorithmList.resolve(
            text, option: "Ciphers", defaults: ["a", "b", "c"], all: ["a", "b", "c", "old-x", "old-y"])
    }

    @Test(
        "Replaced, appended, taken away, put first",
        arguments: [
            (nil, ["a", "b", "c"]), ("", ["a", "b", "c"]), ("c,a", ["c", "a"]), ("b", ["b"]), ("old-x", ["old-x"]),
            ("+old-x", ["a", "b", "c", "old-x"]), ("+b,old-y", ["a", "b", "c", "old-y"]), ("-b", ["a", "c"]),
            ("-b,nothing", ["a", "c"]), ("^c", ["c", "a", "b"]), ("^old-y,b", ["old-y", "b", "a", "c"]),
            ("+old-*", ["a", "b", "c", "old-x", "old-y"]), ("old-?", ["old-x", "old-y"]), ("-?", nil),
            ("a,a", ["a"]), ("*", ["a", "b", "c", "old-x", "old-y"]),
        ] as [(String?, [String]?)])
    func forms(text: String?, expected: [String]?) throws {
        if let expected {
            #expect(try resolve(text) == expected)
        } else {
            #expect(throws: ConfigurationError.self) { try resolve(text) }
        }
    }

    @Test("A name that nothing has is an error that says which", arguments: ["rot13", "a,rot13", "+rot13", "^rot13"])
    func stranger(text: String) {
        #expect {
            try resolve(text)
        } throws: { error in
            "\(error)".contains("Ciphers") && "\(error)".contains("rot13")
        }
    }

    @Test("A list that leaves nothing is an error", arguments: ["-*", "-a,b,c", ","])
    func nothing(text: String) { #expect(throws: ConfigurationError.self) { try resolve(text) } }
}
