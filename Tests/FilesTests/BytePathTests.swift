import Files
import Testing

@Suite("Paths of bytes")
struct BytePathTests {
    @Test(
        "know their parts",
        arguments: [
            ("a", ".", "a"), ("a/b", "a", "b"), ("/a", "/", "a"), ("/a/b//", "/a", "b"), ("/", "/", ""),
            ("a//b", "a", "b"),
        ])
    func parts(path: String, parent: String, last: String) {
        #expect(BytePath(path).parent == BytePath(parent))
        #expect(BytePath(path).lastComponent == Array(last.utf8))
    }
}
