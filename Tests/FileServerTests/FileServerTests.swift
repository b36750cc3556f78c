import Testing

@testable import FileServer
