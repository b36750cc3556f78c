import CommandOptions
import TestSupport
import Testing

@testable import SCPDCommand

@Suite("What is generated of scpd's options and kept (make documents)")
struct GeneratedDocumentTests {
    @Test("The manual is that of the table")
    func manual() throws {
        let template = try readText(GeneratedDocument.path("man/scpd.8.in"))
        #expect(
            try GeneratedDocument.isKept("man/scpd.8", ManualPage.fill(template, DaemonOptions.table)), "make documents"
        )
    }

    @Test("The completions are those of the table")
    func completions() throws {
        let completion = ShellCompletion("scpd", DaemonOptions.table, hasPlaces: false)
        #expect(try GeneratedDocument.isKept("completions/scpd.bash", completion.bash), "make documents")
        #expect(try GeneratedDocument.isKept("completions/_scpd", completion.zsh), "make documents")
        #expect(try GeneratedDocument.isKept("completions/scpd.fish", completion.fish), "make documents")
    }
}
