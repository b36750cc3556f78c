/// What a file is called until it is whole, beside the name it gets then: the same for each attempt, so that the next finds what the
/// last one left.
package enum PartialName {
    private static let suffix = Array(".scp-part".utf8)
    /// Bytes that the name of an entry may have (NAME_MAX).
    private static let longest = 255

    package static func of(_ name: [UInt8]) -> [UInt8] {
        let room = longest - suffix.count - 1
        guard name.count > room else { return [UInt8(ascii: ".")] + name + suffix }
        // Two long names with the same beginning stay two.
        let mark = Array(String(hash(name), radix: 16).utf8)
        return [UInt8(ascii: ".")] + name.prefix(room - mark.count) + mark + suffix
    }

    package static func of(_ path: BytePath) -> BytePath { path.sibling(of(path.lastComponent)) }

    /// FNV-1a, which is the same in every process.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
