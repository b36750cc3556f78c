import NIOCore
import SFTP
import Testing

@Suite("What a status is called")
struct SFTPStatusTests {
    @Test(
        "Codes of later drafts have names, for servers that send them all the same",
        arguments: [
            (0, "No error"), (3, "Permission denied"), (8, "Operation unsupported"), (9, "Invalid handle"),
            (11, "File exists"), (14, "No space left on device"), (18, "Directory not empty"), (24, "Is a directory"),
            (31, "Range is not locked"), (32, "Unknown status 32"), (.max, "Unknown status 4294967295"),
        ] as [(UInt32, String)])
    func names(code: UInt32, name: String) { #expect(SFTPStatusCode(rawValue: code).description == name) }

    @Test("The server's words count where the code says nothing")
    func words() {
        #expect(SFTPStatus(.failure, message: "no more handles").description == "no more handles")
        #expect(SFTPStatus(.failure).description == "Failure")
        #expect(SFTPStatus(.permissionDenied, message: "no").description == "Permission denied")
        #expect(
            SFTPStatus(SFTPStatusCode(rawValue: 99), message: "out\u{1b} of luck").description == "out\\033 of luck")
        #expect(SFTPStatus(SFTPStatusCode(rawValue: 99)).description == "Unknown status 99")
    }
}
