import Testing

@testable import SSHServer
