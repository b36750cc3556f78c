import SSHWire

/// Carries the bytes of two streams to each other until both have ended.
enum Relay {
    static func run(between one: any ByteStream, and other: any ByteStream) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await carry(from: one, to: other) }
            group.addTask { try await carry(from: other, to: one) }
            try await group.waitForAll()
        }
    }

    private static func carry(from source: any ByteStream, to sink: any ByteStream) async throws {
        while let bytes = try await source.read() { try await sink.write(bytes) }
        try await sink.finishWriting()
    }
}
