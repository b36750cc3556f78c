import CommandOptions
import SSHConfig
import TestSupport
import Testing

@testable import SCPCommand

@Suite("What is generated of scp's options and kept (make documents)")
struct GeneratedDocumentTests {
    @Test("The manual is that of the table")
    func manual() throws {
        let template = try readText(GeneratedDocument.path("man/scp.1.in"))
        #expect(
            try GeneratedDocument.isKept("man/scp.1", ManualPage.fill(template, CopyOptions.table)), "make documents")
    }

    @Test("The completions are those of the table")
    func completions() throws {
        let completion = ShellCompletion("scp", CopyOptions.table, settings: KeywordTable.settings, hasPlaces: true)
        #expect(try GeneratedDocument.isKept("completions/scp.bash", completion.bash), "make documents")
        #expect(try GeneratedDocument.isKept("completions/_scp", completion.zsh), "make documents")
        #expect(try GeneratedDocument.isKept("completions/scp.fish", completion.fish), "make documents")
    }

    @Test("Every setting that completion offers exists", arguments: KeywordTable.settings)
    func settings(name: String) throws {
        let options = try CopyOptions(bytes(["-F", "none", "-o", "\(name)=x", "a", "b"]))
        do {
            _ = try options.client(for: Location.Remote(host: "h", path: []))
        } catch {
            #expect(!"\(error)".contains("Bad configuration option"), "\(error)")
        }
    }
}
