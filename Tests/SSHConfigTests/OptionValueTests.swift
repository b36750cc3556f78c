import Testing

@testable import SSHConfig

@Suite("Values of options that are more than a word")
struct OptionValueTests {
    @Test("AddKeysToAgent takes the words and times of ssh_config")
    func addKeys() throws {
        let read = { (text: String) in AddKeysToAgent(text, seconds: { try? Keyword.seconds($0) }) }
        #expect(read("no") == .no && read("YES") == .yes(lifetime: nil) && read("ask") == .ask)
        #expect(read("confirm") == .confirm(lifetime: nil) && read("confirm 5m") == .confirm(lifetime: 300))
        #expect(read("1h") == .yes(lifetime: 3600) && read("0") == .yes(lifetime: nil))
        for text in ["", "maybe", "yes 5m", "confirm x", "confirm 1m 1m", "-1"] {
            #expect(read(text) == nil, "\(text)")
        }
    }

    @Test("IPQoS takes names and numbers, one or two")
    func serviceClass() throws {
        func read(_ text: String) -> [UInt8?]? { ServiceClass(text).map { [$0.interactive, $0.bulk] } }
        #expect(read("af21") == [0x48, 0x48] && read("EF none") == [0xb8, nil] && read("cs1\tle") == [0x20, 0x04])
        #expect(read("0x10 255") == [16, 255] && read("lowdelay throughput") == [nil, nil] && read("0") == [0, 0])
        for text in ["", "af44", "cs8", "256", "-1", "0x100", "0x", "ef ef ef", "x"] {
            #expect(read(text) == nil, "\(text)")
        }
        #expect([ServiceClass().interactive, ServiceClass().bulk] == [0xb8, 0])
    }

    @Test("ForwardAgent is yes, no, a path or a variable")
    func forwardAgent() throws {
        func read(_ text: String) throws -> ForwardAgent {
            try FakeEnvironment().options("ForwardAgent \(text)").forwardAgent
        }
        #expect(try read("yes") == .yes && read("no") == .no && read("/a/b") == .socket("/a/b"))
        #expect(try read("~/agent") == .socket("/home/me/agent"))
        #expect(try read("$WHERE") == .socket("there"))
        #expect(try read("$NOT_SET_ANYWHERE") == .no)
    }
}
